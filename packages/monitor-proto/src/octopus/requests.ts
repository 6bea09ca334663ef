/**
 * What clients ask of Octopus, the record store and coordination service, and what they hear from it.
 * Source: Barrelfish `lib/octopus` and `usr/skb/programs/objects3.pl`, `pubsub3.pl`. Labelled as ours: `exclusive`,
 * trigger ids chosen by the client, transient records, sequences, `take`, `predecessor`, recipes’ own records.
 */

import type { Recipe } from './names.ts';

/** Bits of a trigger's mode and of a notification's; Barrelfish's values. */
export const TRIGGER = {
  /** Tell when a matching record is set. */
  ON_SET: 1,
  /** Tell when a matching record is deleted; the notification carries what it was. */
  ON_DEL: 2,
  /** Stay after telling; without it a trigger tells once, with REMOVED in the notification. */
  PERSIST: 4,
  /** Install whatever the query's result is, not only when it is the trigger's case. */
  ALWAYS: 8,
  /** In notifications: the trigger is gone, nothing more will come from it. */
  REMOVED: 16,
  /** In notifications: a published record, not a stored one. */
  PUBLISH: 32,
} as const;

export const OCTOPUS_ERRORS = {
  PARSE_ERROR: { doc: 'The text is not a record or a query; the detail says where.' },
  NO_RECORD: { doc: 'No record matches the query.' },
  NO_CONCRETE_NAME: { doc: 'Setting, deleting and publishing need one name, not a pattern.' },
  CONSTRAINT_MISMATCH: { doc: 'The record is not there, or not as the constraints demand; nothing was changed.' },
  RECORD_EXISTS: { doc: 'An exclusive set found the record there already.' },
  TRIGGER_EXISTS: { doc: 'The client already has a trigger or subscription of that id.' },
  NO_TRIGGER: { doc: 'The client has no trigger or subscription of that id.' },
  BAD_REQUEST: { doc: 'The request does not have the form of one; a mistake of the client’s library.' },
  JOURNAL_FAILED: { doc: 'The SKB cannot write its journal; whether the request took effect is not known.' },
  FAILED: { doc: 'A bug in the SKB, met while handling this request, which changed nothing; the SKB’s log says more.' },
  POISONED: { doc: 'The same request ended an earlier life of the SKB; it is not run again.' },
  RESERVED_NAME: {
    doc: 'Records of that name belong to a recipe (locks, semaphores, barriers, services, programs’ names); choose another.',
  },
  QUERY_TOO_COSTLY: {
    doc: 'The query’s patterns take more steps than a query may; ask for less, or by a simpler pattern.',
  },
  SESSION_LOST: {
    doc: 'The SKB has dropped this client: what it held is gone; whether the request took effect is not known.',
  },
  LOCK_LOST: { doc: 'The lock is no longer held: somebody else may have it by now.' },
  PERMIT_LOST: { doc: 'The permit is no longer held: it went back to the semaphore.' },
  BARRIER_LOST: { doc: 'The entry in the barrier is gone: the others do not count on it any more.' },
  SERVICE_LOST: { doc: 'The service is no longer registered: another may have its name by now.' },
  WATCH_LOST: { doc: 'Changes are no longer reported: the watch or subscription could not be installed again.' },
  LIMIT_REACHED: { doc: 'The store, or the client, has as many of these as it may.' },
} as const;

export type OctopusErrorName = keyof typeof OCTOPUS_ERRORS;

/** Installed in the same step as the query that carries it, when the query's result is `inCase`, or with ALWAYS. */
export type TriggerSpec = {
  /** Chosen by the client, so that no notification can overtake the knowledge of it. */
  readonly id: number;
  readonly inCase: 'OK' | OctopusErrorName;
  readonly mode: number;
};

/** A look at records. With `sequence` the query's name stands for its sequential records: `name_1`, `name_2`, … */
type Look = {
  readonly query: string;
  readonly sequence?: boolean;
  /** Only a record that this client has set as transient; for concrete names. */
  readonly own?: boolean;
  readonly trigger?: TriggerSpec;
};

export type OctopusRequest =
  /** The first matching record in natural order of names. */
  | ({ readonly type: 'get' } & Look)
  /** With `after` a page: names that come later in natural order than that one, as many as an answer holds. */
  | ({ readonly type: 'get_names'; readonly after?: string } & Look)
  | ({ readonly type: 'exists' } & Look)
  /** Replaces all attributes; constraints in the record apply to the stored one: compare-and-set. */
  | {
      readonly type: 'set';
      readonly record: string;
      /** Append `_N`, N counted up per name; the reply has the record under its new, unique name. */
      readonly sequential?: boolean;
      /** The record goes when its owner leaves. */
      readonly transient?: boolean;
      /** The record must not be there yet. */
      readonly exclusive?: boolean;
      /** Whose record it is; needed where the name is a recipe's. */
      readonly recipe?: Recipe;
      /** Watches the record by its name. */
      readonly trigger?: TriggerSpec;
    }
  | {
      readonly type: 'del';
      readonly query: string;
      readonly recipe?: Recipe;
      /** NO_RECORD unless this client has set it as transient. */
      readonly own?: boolean;
      readonly trigger?: TriggerSpec;
    }
  /**
   * Takes the first permit of a semaphore; with `lease` it becomes the client's, a transient record `permit:NAME_N`
   * that turns back into a permit when anyone deletes it. NO_RECORD: there is none; the trigger then watches for the
   * next.
   */
  | { readonly type: 'take'; readonly name: string; readonly lease?: boolean; readonly trigger?: TriggerSpec }
  /**
   * The record before that one in its sequence, which the trigger watches by name; none: that one is the first.
   * NO_RECORD: that one is not there.
   */
  | { readonly type: 'predecessor'; readonly name: string; readonly trigger?: TriggerSpec }
  | { readonly type: 'remove_trigger'; readonly id: number }
  | { readonly type: 'subscribe'; readonly query: string; readonly id: number }
  | { readonly type: 'unsubscribe'; readonly id: number }
  | { readonly type: 'publish'; readonly record: string };

export type OctopusReply =
  | {
      readonly ok: true;
      readonly record?: string;
      readonly names?: readonly string[];
      /** More names come after the last of this page. */
      readonly more?: boolean;
      /** Whether the trigger that came with the request was installed. */
      readonly installed: boolean;
    }
  | { readonly ok: false; readonly error: OctopusErrorName; readonly detail: string; readonly installed: boolean };

/**
 * What a trigger or a subscription tells its client. `record` is null when it was removed, by the client or for
 * `error`.
 */
export interface OctopusNotification {
  readonly id: number;
  readonly mode: number;
  readonly record: string | null;
  readonly error?: OctopusErrorName;
}

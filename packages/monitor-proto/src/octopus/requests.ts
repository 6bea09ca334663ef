/**
 * Requests to Octopus, the record store and coordination service, and its answers and notifications. Source: Barrelfish
 * `lib/octopus` and `usr/skb/programs/objects3.pl`, `pubsub3.pl`. Labelled as ours: `exclusive`, trigger ids chosen by
 * the client, transient records, sequences, `take`, `predecessor`, recipes’ own records.
 */

import type { Recipe } from './names.ts';

/** Bits of a trigger's mode and of a notification; Barrelfish's values. */
export const TRIGGER = {
  /** Notify when a matching record is set. */
  ON_SET: 1,
  /** Notify when a matching record is deleted; the notification carries its last content. */
  ON_DEL: 2,
  /** Stay after a notification; without it a trigger fires once, with REMOVED in the notification. */
  PERSIST: 4,
  /** Install whatever the query's result, not only for the trigger's case. */
  ALWAYS: 8,
  /** In notifications: the trigger is gone; nothing follows. */
  REMOVED: 16,
  /** In notifications: a published record, not a stored one. */
  PUBLISH: 32,
} as const;

export const OCTOPUS_ERRORS = {
  PARSE_ERROR: { doc: 'The text is not a record or a query; the detail says where.' },
  NO_RECORD: { doc: 'No record matches the query.' },
  NO_CONCRETE_NAME: { doc: 'Setting, deleting and publishing need one name, not a pattern.' },
  CONSTRAINT_MISMATCH: { doc: 'The record is missing, or does not meet the constraints; nothing was changed.' },
  RECORD_EXISTS: { doc: 'An exclusive set found an existing record.' },
  TRIGGER_EXISTS: { doc: 'The client already has a trigger or subscription of that id.' },
  NO_TRIGGER: { doc: 'The client has no trigger or subscription of that id.' },
  BAD_REQUEST: { doc: 'The request is malformed: a bug in the client’s library.' },
  JOURNAL_FAILED: { doc: 'The SKB cannot write its journal; whether the request took effect is unknown.' },
  FAILED: { doc: 'A bug in the SKB, hit while handling this request, which changed nothing; the SKB’s log says more.' },
  POISONED: { doc: 'The same request ended an earlier life of the SKB, which now refuses it.' },
  RESERVED_NAME: {
    doc: 'Records of that name belong to a recipe (locks, semaphores, barriers, services, programs’ names); choose another.',
  },
  QUERY_TOO_COSTLY: {
    doc: 'The query’s patterns exceed the steps of a query; ask for less, or with a simpler pattern.',
  },
  SESSION_LOST: {
    doc: 'The SKB has dropped this client: everything it held is gone; whether the request took effect is unknown.',
  },
  LOCK_LOST: { doc: 'The lock is no longer held: somebody else may have it by now.' },
  PERMIT_LOST: { doc: 'The permit is no longer held: it went back to the semaphore.' },
  BARRIER_LOST: { doc: 'The entry in the barrier is gone: the others no longer count on it.' },
  SERVICE_LOST: { doc: 'The service is no longer registered: another may have its name by now.' },
  WATCH_LOST: { doc: 'Changes are no longer reported: the watch or subscription could not be reinstalled.' },
  LIMIT_REACHED: { doc: 'The store, or the client, has reached its limit of these.' },
} as const;

export type OctopusErrorName = keyof typeof OCTOPUS_ERRORS;

/** Installed in the same step as its query, when the query's result is `inCase`, or with ALWAYS. */
export type TriggerSpec = {
  /** Chosen by the client, which therefore knows it before any notification. */
  readonly id: number;
  readonly inCase: 'OK' | OctopusErrorName;
  readonly mode: number;
};

/** A query of records. With `sequence` its name stands for the sequential records: `name_1`, `name_2`, … */
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
  /** With `after` one page: the names after that one in natural order, as many as an answer holds. */
  | ({ readonly type: 'get_names'; readonly after?: string } & Look)
  | ({ readonly type: 'exists' } & Look)
  /** Replaces all attributes; constraints in the record apply to the stored one: compare-and-set. */
  | {
      readonly type: 'set';
      readonly record: string;
      /** Append `_N`, with N counting up per name; the reply has the record under its new, unique name. */
      readonly sequential?: boolean;
      /** The record goes when its owner leaves. */
      readonly transient?: boolean;
      /** The record must not exist yet. */
      readonly exclusive?: boolean;
      /** The recipe that owns the record; required when the name has its prefix. */
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
   * The previous record of the sequence, which the trigger watches by name; none: `name` is the first. NO_RECORD:
   * `name` does not exist.
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
      /** More names follow this page. */
      readonly more?: boolean;
      /** Whether the request's trigger was installed. */
      readonly installed: boolean;
    }
  | { readonly ok: false; readonly error: OctopusErrorName; readonly detail: string; readonly installed: boolean };

/**
 * A notification from a trigger or a subscription. `record` is null when the trigger was removed, by the client or
 * because of `error`.
 */
export interface OctopusNotification {
  readonly id: number;
  readonly mode: number;
  readonly record: string | null;
  readonly error?: OctopusErrorName;
}

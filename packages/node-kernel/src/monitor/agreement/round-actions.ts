import type { ErrorName } from '@mk/monitor-proto/errors';
import type { Nanos, OperationId } from '@mk/monitor-proto/ids';

/** The phases of a round; a one-phase round has only `commit`. */
export const PHASES = { prepare: 1, commit: 2, abort: 3 } as const;
export type Phase = (typeof PHASES)[keyof typeof PHASES];

/** One row of the table of round actions. */
export interface RoundActionSpec {
  /** Goes over the wire and never changes; a retired action keeps its row. */
  readonly ordinal: number;
  /** 1: everybody acts. 2: everybody prepares, then everybody commits or aborts. */
  readonly phases: readonly (1 | 2)[];
  readonly doc: string;
}

/** All actions of rounds. The service that performs an action contributes its `Act` (service.ts). */
export const ROUND_ACTIONS = {
  noop: { ordinal: 0, phases: [1, 2], doc: 'Does nothing and consents: measures dissemination itself.' },
  revoke: { ordinal: 1, phases: [2], doc: 'mark → ready, commit → done of a revoke; an abort thaws.' },
  check_retype: {
    ordinal: 2,
    phases: [2],
    doc: 'Refuses with REVOKE_FIRST when something is in the way; otherwise guards the range until the second phase.',
  },
  find_copy: {
    ordinal: 3,
    phases: [1],
    doc: 'A holder refuses with CAPABILITY_HELD, or CAPABILITY_BUSY while it is frozen or locked.',
  },
  delete_remote: { ordinal: 4, phases: [1], doc: 'Every foreign copy goes, because the owner deletes the object.' },
  update_owner: { ordinal: 5, phases: [1], doc: 'Every holder notes the new owner.' },
  reclaim: {
    ordinal: 6,
    phases: [2],
    doc: 'prepare begins a watch on ranges; commit ends it and reports what was covered meanwhile.',
  },
  vouch: {
    ordinal: 9,
    phases: [1],
    doc: 'Whether a core may own a capability that it hands out from memory of another home: a core that knows better refuses with OWNER_MISMATCH.',
  },
  unmap: {
    ordinal: 7,
    phases: [1],
    doc: 'Drops translations of these pages of an address space; consents when no dispatcher of the core can use one.',
  },
  find_orphan: {
    ordinal: 12,
    phases: [1],
    doc: 'Looks for an owner in place of one that is gone: a holder refuses with CAPABILITY_HELD, an owner with CAPABILITY_BUSY.',
  },
  invalidate: {
    ordinal: 13,
    phases: [1],
    doc: 'Drops a copy of a page; consents when no dispatcher of the core can read it. Uses the tree when many share the page.',
  },
  lost_owner: {
    ordinal: 14,
    phases: [1],
    doc: 'Cores that name the initiator as the owner learn to whom it had handed the ownership, and that this core is gone.',
  },
} as const satisfies Record<string, RoundActionSpec>;

export type RoundActionName = keyof typeof ROUND_ACTIONS;

const ROWS: readonly RoundActionSpec[] = Object.values(ROUND_ACTIONS);
const TWO_PHASES: ReadonlySet<number> = new Set(
  ROWS.filter(({ phases }) => !phases.includes(1)).map(({ ordinal }) => ordinal),
);

/** Whether a phase of an action, both by number, only ends a phase begun before. */
export function isSecondPhase(action: number, phase: number): boolean {
  return phase === PHASES.abort || (phase === PHASES.commit && TWO_PHASES.has(action));
}

/**
 * Reports how a core acted: null is consent, an error refusal; `data` are numbers for the initiator. May be called
 * later, once.
 */
export type Vote = (refusal: ErrorName | null, now: Nanos, data?: readonly number[]) => void;

/** A core's act in one phase of a round. */
export type Act = (op: OperationId, phase: Phase, payload: Uint8Array, now: Nanos, vote: Vote) => void;

/** The act of each action, by ordinal. */
export type ActOf = (ordinal: number) => Act | undefined;

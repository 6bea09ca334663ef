import type { ErrorName } from '@mk/monitor-proto/errors';
import type { Nanos, OperationId } from '@mk/monitor-proto/ids';

/** Where a phase of a round stands: a one-phase round has only `commit`. */
export const PHASES = { prepare: 1, commit: 2, abort: 3 } as const;
export type Phase = (typeof PHASES)[keyof typeof PHASES];

/**
 * Tells how a core acted: null is consent, an error is refusal; with it, numbers for the initiator. May be called later, once.
 */
export type Vote = (refusal: ErrorName | null, now: Nanos, data?: readonly number[]) => void;

/** What a round does at each member. `ordinal` goes over the wire and never changes. */
export interface RoundAction {
  readonly ordinal: number;
  readonly doc: string;
  act(op: OperationId, phase: Phase, payload: Uint8Array, now: Nanos, vote: Vote): void;
}

/** The round that does nothing: what dissemination itself costs. */
export const NOOP_ACTION: RoundAction = {
  ordinal: 0,
  doc: 'Does nothing and consents; measures dissemination itself.',
  act(_op, _phase, _payload, now, vote) {
    vote(null, now);
  },
};

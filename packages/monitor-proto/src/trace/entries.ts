/** A traced process's note, as the control port carries it; times in nanoseconds of its own clock. */
export type TraceEntry =
  /** One event handled by its state machine. */
  | readonly ['slice', name: string, from: number, to: number]
  /** A message, named alike at both ends: channel, lane, number. */
  | readonly ['sent' | 'delivered', message: string, at: number, key: string, op: string]
  /** An operation that ended. */
  | readonly ['span', name: string, from: number, to: number, op: string, result: string]
  /** A fault, a suspicion, an end. */
  | readonly ['mark', text: string, at: number];

/** Everything that one process noted. */
export interface TraceNotes {
  readonly entries: readonly TraceEntry[];
  /** Entries overwritten by newer ones. */
  readonly lost: number;
}

/** What a process notes while it is traced, as it goes over the control port; times in nanoseconds of its own clock. */
export type TraceEntry =
  /** One event that its state machine handled. */
  | readonly ['slice', name: string, from: number, to: number]
  /** A message, named the same at both ends: channel, lane, number. */
  | readonly ['sent' | 'delivered', message: string, at: number, key: string, op: string]
  /** An operation that ended. */
  | readonly ['span', name: string, from: number, to: number, op: string, result: string]
  /** A fault, a suspicion, an end. */
  | readonly ['mark', text: string, at: number];

/** Everything that one process noted. */
export interface TraceNotes {
  readonly entries: readonly TraceEntry[];
  /** Entries that newer ones took the place of. */
  readonly lost: number;
}

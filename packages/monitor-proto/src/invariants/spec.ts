/** One row of the table of invariants. */
export interface InvariantSpec {
  readonly statement: string;
  /** The file below packages/ that maintains it and whose header or type states it. */
  readonly kept: string;
  /**
   * What detects a breach: an assertion after each step (`step`: in the simulator; `cheap`: in every process), a
   * checker, or tests.
   */
  readonly seen: string;
}

export function row(kept: string, seen: string, statement: string): InvariantSpec {
  return { kept, seen, statement };
}

/** One row of the table of invariants. */
export interface InvariantSpec {
  readonly statement: string;
  /** Where it is maintained: a file below packages/ whose header or type states it. */
  readonly kept: string;
  /**
   * How a breach shows: asserted after each step (`step`: in the simulator; `cheap`: in every process), by a checker,
   * by tests.
   */
  readonly seen: string;
}

export function row(kept: string, seen: string, statement: string): InvariantSpec {
  return { kept, seen, statement };
}

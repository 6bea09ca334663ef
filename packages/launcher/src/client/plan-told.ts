/** A running plan's output since the last request; `status` null: the plan is not over. */
export interface PlanTold {
  readonly lines: readonly string[];
  /** Lines said so far. */
  readonly next: number;
  readonly status: 0 | 1 | 2 | null;
}

/** What a plan running in a cluster has said since the last request; `status` null: it is not over. */
export interface PlanTold {
  readonly lines: readonly string[];
  /** Lines said so far. */
  readonly next: number;
  readonly status: 0 | 1 | 2 | null;
}

/** What a plan that runs in a cluster has said since somebody last asked; `status` null: it is not over. */
export interface PlanTold {
  readonly lines: readonly string[];
  /** So many lines have been said up to now. */
  readonly next: number;
  readonly status: 0 | 1 | 2 | null;
}

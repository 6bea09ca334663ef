import type { PlanTold } from '../client/plan-told.ts';

/** Runs mkctl's fault plans in a running cluster; one at a time. */
export interface PlanPort {
  /** Begins the plan in that text; `folder` is for its results. Throws CommandError. */
  begin(text: string, folder: string | null): Promise<void>;
  /** Returns the lines from that one on, waiting a moment if there are none. */
  told(from: number): Promise<PlanTold>;
  /** Ends it early, with status 2. */
  stop(): void;
}

import type { PlanTold } from '../client/plan-told.ts';

/** A fault plan that mkctl has a running cluster go through; one at a time. */
export interface PlanPort {
  /** Begins the plan of that text; `folder`: where its results go. Throws CommandError. */
  begin(text: string, folder: string | null): Promise<void>;
  /** What was said from that line on; waits a moment when there is nothing new. */
  told(from: number): Promise<PlanTold>;
  /** Ends it early: its status is 2. */
  stop(): void;
}

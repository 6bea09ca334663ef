import type { ClusterSession } from './cluster-session.ts';

/** What a plan that runs in a cluster has said since somebody last asked; `status` null: it is not over. */
export interface PlanTold {
  readonly lines: readonly string[];
  /** So many lines have been said up to now. */
  readonly next: number;
  readonly status: 0 | 1 | 2 | null;
}

/** A fault plan that mkctl has a running cluster go through; one at a time. */
export interface PlanPort {
  /** Begins the plan of that text; `folder`: where its results go. Throws CommandError. */
  begin(text: string, folder: string | null): Promise<void>;
  /** What was said from that line on; waits a moment when there is nothing new. */
  told(from: number): Promise<PlanTold>;
  /** Ends it early: its status is 2. */
  stop(): void;
}

export type MakePlanPort = (session: ClusterSession) => PlanPort;

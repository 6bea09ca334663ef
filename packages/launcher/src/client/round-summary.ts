import type { TimeSummary } from './times.ts';

/** What the core's verb `round` answers. */
export interface RoundSummary extends TimeSummary {
  readonly plan: string;
  readonly phases: number;
  readonly cores: number;
  readonly messages: number;
}

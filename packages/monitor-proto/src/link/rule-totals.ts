import { keysOf } from '../tables.ts';
import type { RuleCounters, RuleState } from './rule-state.ts';

/** Ids of rules that are over whose counts are remembered; the oldest go. */
const MOST_IDS = 1000;

/** What all rules of one id have done in this process: a rule that is replaced, or begins again, takes nothing back from its metric. */
export class RuleTotals {
  private readonly past = new Map<string, RuleCounters>();

  /** A rule is over, or another one takes its place. */
  add({ rule, counters }: RuleState): void {
    const sum = this.with(rule.id, counters);
    this.past.delete(rule.id);
    this.past.set(rule.id, sum);
    for (const id of this.past.keys()) {
      if (this.past.size <= MOST_IDS) break;
      this.past.delete(id);
    }
  }

  /** What these counters come to with those of earlier rules of the id. */
  with(id: string, counters: Readonly<RuleCounters>): RuleCounters {
    const sum = { ...counters };
    const before = this.past.get(id);
    if (before !== undefined) for (const effect of keysOf(sum)) sum[effect] += before[effect];
    return sum;
  }
}

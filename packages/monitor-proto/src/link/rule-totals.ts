import { keysOf } from '../tables.ts';
import type { RuleCounters, RuleState } from './rule-state.ts';

/** Ended rules whose counts are kept, by id; the oldest go first. */
const MOST_IDS = 1000;

/** Totals by rule id in this process: replacing or repeating a rule never lowers its metric. */
export class RuleTotals {
  private readonly past = new Map<string, RuleCounters>();

  /** Adds the counts of a rule that is over or replaced. */
  add({ rule, counters }: RuleState): void {
    const sum = this.with(rule.id, counters);
    this.past.delete(rule.id);
    this.past.set(rule.id, sum);
    for (const id of this.past.keys()) {
      if (this.past.size <= MOST_IDS) break;
      this.past.delete(id);
    }
  }

  /** These counters plus those of earlier rules of the id. */
  with(id: string, counters: Readonly<RuleCounters>): RuleCounters {
    const sum = { ...counters };
    const before = this.past.get(id);
    if (before !== undefined) for (const effect of keysOf(sum)) sum[effect] += before[effect];
    return sum;
  }
}

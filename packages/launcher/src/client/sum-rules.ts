import { keysOf, tableOf } from '@mk/monitor-proto/tables';
import type { ActiveRule } from '@mk/monitor-proto/link/rule-state';

/** One row per rule: its effects, summed over the reporting cores. */
export function sumActiveRules(lists: readonly (readonly ActiveRule[])[]): ActiveRule[] {
  const byId = new Map<string, ActiveRule>();
  for (const active of lists.flat()) {
    const known = byId.get(active.rule.id);
    byId.set(active.rule.id, known === undefined ? active : sum(known, active));
  }
  return [...byId.values()];
}

function sum(a: ActiveRule, b: ActiveRule): ActiveRule {
  const counters = tableOf(keysOf(a.counters), (name) => a.counters[name] + b.counters[name]);
  return { ...a, healedPairs: a.healedPairs + b.healedPairs, counters };
}

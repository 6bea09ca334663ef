import type { FaultRule, PeerSelector } from '@mk/monitor-proto/link/fault-rule';

/** Whether a rule can say anything about frames that this core sends: only such cores need to be told of it. */
export function concernsSender(rule: FaultRule, core: number): boolean {
  if (rule.kind !== 'link') return true;
  return selects(rule.from, core) || (rule.both && selects(rule.to, core));
}

/** The cores that a rule names. */
export function coresOfRule(rule: FaultRule): readonly number[] {
  if (rule.kind === 'isolate') return rule.cores;
  if (rule.kind === 'partition') return rule.groups.flatMap((group) => (group === 'rest' ? [] : group));
  return [rule.from, rule.to].flatMap((side) => (side === 'all' ? [] : side));
}

function selects(selector: PeerSelector, core: number): boolean {
  return selector === 'all' || selector.includes(core);
}

import { describeAction } from '../describe-fault.ts';
import type { FaultAction, FaultPlan, Workload } from '../fault-plan.ts';
import type { Asked, AskedFault } from './run-report.ts';

/** What a plan asks for, as its report says it. */
export function askedOfPlan(
  plan: FaultPlan,
  chosen: Pick<Asked, 'what' | 'repeat' | 'seed' | 'machine' | 'cores'>,
): Asked {
  return {
    ...chosen,
    workload: plan.workload === null ? null : workloadText(plan.workload),
    expect: plan.expect,
    faults: plan.faults.map(({ atNs, action }) => askedFault(atNs, action)),
  };
}

/** One fault of a plan, or of what was made up from a seed. */
export function askedFault(atNs: number, action: FaultAction): AskedFault {
  return { at_ms: atNs / 1e6, text: describeAction(action), rules: rulesOf(action) };
}

function workloadText({ program, args, on }: Workload): string {
  return [program, ...args, ...(on === null ? [] : [`on ${on.join(',')}`])].join(' ');
}

/** The names under which the launcher and cores log that it began and ended. */
function rulesOf(action: FaultAction): readonly string[] {
  if (action.type === 'rule') return [action.rule.id];
  if (action.type === 'skb_loss') return ['crash:skb'];
  if (action.type === 'heal' || action.type === 'restart') return [];
  return action.cores.map((core) => `${action.type}:${core}`);
}

import { describeAction } from '../describe-fault.ts';
import type { FaultAction, FaultPlan, Workload } from '../fault-plan.ts';
import type { Asked, AskedFault } from './run-report.ts';

/** A plan's requests, for its report. */
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

/** One fault, from a plan or a seed. */
function askedFault(atNs: number, action: FaultAction): AskedFault {
  return { at_ms: atNs / 1e6, text: describeAction(action), rules: rulesOf(action) };
}

function workloadText({ program, args, on }: Workload): string {
  return [program, ...args, ...(on === null ? [] : [`on ${on.join(',')}`])].join(' ');
}

/** The rule names under which the launcher and cores log the fault's beginning and end. */
function rulesOf(action: FaultAction): readonly string[] {
  if (action.type === 'rule') return [action.rule.id];
  if (action.type === 'skb_loss') return ['crash:skb'];
  if (action.type === 'heal' || action.type === 'restart') return [];
  return action.cores.map((core) => `${action.type}:${core}`);
}

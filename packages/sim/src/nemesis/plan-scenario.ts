import type { FaultPlan, PlannedFault, Workload } from '@mk/machine/fault-plan';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { MILLISECOND, type Nanos, NO_CORE, SECOND } from '@mk/monitor-proto/ids';
import { scenarioOf } from './nemesis.ts';
import type { Scenario } from '../engine/scenario.ts';

/** Options of the command line, which take precedence over the plan. */
export interface PlanChoices {
  readonly seed: number | string | null;
  readonly cores: number | null;
  readonly machine: string | null;
}

const DEFAULT_CORES = 4;
/** How long the run continues after a plan's last fault began or ended. */
const AFTERWARDS: Nanos = SECOND;

/** The program of a plan. `churn` is a load of requests on processes; the simulator has its own. */
export function programOfPlan({ workload }: FaultPlan): Workload | null {
  return workload === null || workload.program === 'churn' ? null : workload;
}

/** A fault plan as a scenario: its faults, and a load from the seed for as long as they last. */
export function scenarioOfPlan(plan: FaultPlan, choices: PlanChoices): Result<Scenario, string> {
  const seed = choices.seed ?? plan.seed ?? 1;
  const cores = choices.cores ?? plan.cores ?? DEFAULT_CORES;
  const machine = choices.machine ?? plan.machine ?? 'flat';
  for (const [i, fault] of plan.faults.entries()) {
    const error = faultError(fault, cores);
    if (error !== null) return refuse(`faults[${i}]: ${error}`);
  }
  const faultsForNs = Math.max(0, ...plan.faults.map((fault) => fault.atNs + holdsFor(fault))) + AFTERWARDS;
  const { load } = scenarioOf(seed, { cores, machine, faultsForNs, faultsPerSecond: 0 });
  const lease = plan.leaseNs === null ? {} : { leaseMs: plan.leaseNs / MILLISECOND };
  return succeed({ seed, cores, machine, faults: plan.faults, load, faultsForNs, ...lease });
}

function faultError({ action }: PlannedFault, cores: number): string | null {
  const named = 'cores' in action ? action.cores : action.type === 'rule' ? coresOfRule(action.rule) : [];
  const missing = named.find((core) => core >= cores && core < NO_CORE);
  return missing === undefined ? null : `there is no core ${missing}; the machine has ${cores} (0 to ${cores - 1})`;
}

function coresOfRule(rule: Extract<PlannedFault['action'], { type: 'rule' }>['rule']): readonly number[] {
  if (rule.kind === 'isolate') return rule.cores;
  const sides = rule.kind === 'partition' ? rule.groups : [rule.from, rule.to];
  return sides.flatMap((side) => (typeof side === 'string' ? [] : side));
}

function holdsFor({ action }: PlannedFault): Nanos {
  if (action.type === 'rule') return action.rule.for_ns ?? 0;
  return 'forNs' in action ? (action.forNs ?? 0) : 0;
}

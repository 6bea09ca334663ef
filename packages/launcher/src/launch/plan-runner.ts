import { asError } from '@mk/monitor-proto/thrown';
import type { FaultAction, FaultPlan } from '@mk/machine/fault-plan';
import { describeAction } from '@mk/machine/describe-fault';
import type { ReportBuilder } from '@mk/machine/report/report-builder';
import type { RunReport } from '@mk/machine/report/run-report';
import { isCore } from '@mk/monitor-proto/ids';
import { steadyDates } from '@mk/monitor-proto/io/dates';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { peersOfRule } from '@mk/monitor-proto/link/rule-scope';
import { CommandError } from '../cli/usage-error.ts';
import type { NamedProgram } from '../programs/program-run.ts';
import type { ClusterSession } from '../supervisor/cluster-session.ts';
import type { ProcessControl } from '../supervisor/process-control.ts';
import { perform } from './plan-actions.ts';
import { auditSession, churnRequestOf, ChurnWorkload, type PlanWorkload } from './plan-churn.ts';
import { ProgramWorkload } from './plan-program.ts';
import { type Broken, judge, lastLines, named } from './plan-verdict.ts';
import { RoundWorkload } from './plan-workload.ts';

/** Refuses a plan that names absent cores or workloads, before anything is booted. */
export function refuseUnsupported(plan: FaultPlan, cores: number): void {
  for (const { action } of plan.faults) {
    const beyond = coresOfAction(action).find((core) => core >= cores);
    if (beyond !== undefined)
      throw new CommandError(
        `the plan names core ${beyond}, but there are ${cores} (0 to ${cores - 1}); give --cores ${beyond + 1} or more`,
        2,
      );
  }
  if (plan.workload === null) {
    if (plan.expect.includes('workload')) throw new CommandError('the plan expects workload, but has no workload', 2);
    return;
  }
  if (plan.workload.program === 'churn') churnRequestOf(plan.workload);
}

/** Observes the course of a plan. */
export interface PlanListener {
  say(text: string): void;
  readonly report: ReportBuilder;
}

/**
 * Injects the plan's faults into a booted cluster at their times, while no-op rounds and the plan's own workload run,
 * then judges the plan's expectations; resolves with its report. `stop` ends it early, without a verdict.
 */
export async function runPlan(
  plan: FaultPlan,
  session: ClusterSession,
  { say, report }: PlanListener,
  stop: AbortSignal,
  program: NamedProgram | null,
): Promise<RunReport> {
  const date = steadyDates();
  const rounds = new RoundWorkload(session, (...ended) => report.request(...ended), date);
  const workload = workloadOf(plan, session, say, program);
  const broken: Broken[] = [];
  const notes: string[] = [];
  const deathsBefore = session.supervisor.deaths.length;
  const noted = (text: string): void => {
    notes.push(text);
    say(text);
  };
  const finish = (why: string | null): RunReport =>
    // A cluster that is ending breaks everything, which proves nothing.
    report.finish({ atMs: date(), notes, ...(stop.aborted ? { why: INTERRUPTED, broken: [] } : { why, broken }) });
  report.begin(date());
  rounds.start();
  workload?.start();
  try {
    await injectAll(plan, session.control, say, stop);
    await rounds.stop();
    const wrong = stop.aborted ? [] : ((await workload?.end(stop)) ?? []);
    if (stop.aborted) {
      if (!session.supervisor.ending) await workload?.abandon();
      return finish(null);
    }
    const deaths = (): readonly string[] => session.supervisor.deaths.slice(deathsBefore);
    broken.push(...(await judge(plan, session, { rounds: rounds.violations, workload: wrong, deaths }, noted)));
    if (workload !== null && plan.expect.includes('invariants'))
      broken.push(...named('invariants', await auditSession(session, noted)));
    await lastLines(session, report);
    for (const { text } of broken) say(`BROKEN: ${text}`);
    if (broken.length === 0) say(`held: ${plan.expect.join(', ') || 'nothing was expected'}`);
  } catch (error) {
    await rounds.stop();
    await workload?.abandon();
    return finish(`the plan could not be run to its end: ${asError(error).message}`);
  }
  return finish(null);
}

const INTERRUPTED = 'it was interrupted';

/** The workload of the plan; `program` comes from `workloadProgram`. */
function workloadOf(
  { workload, faults }: FaultPlan,
  session: ClusterSession,
  say: (text: string) => void,
  program: NamedProgram | null,
): PlanWorkload | null {
  if (workload === null) return null;
  if (program === null) return new ChurnWorkload(session, churnRequestOf(workload), say);
  return new ProgramWorkload(session, workload, program, faults.length > 0, say);
}

async function injectAll(
  plan: FaultPlan,
  control: ProcessControl,
  say: (text: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const underWay: Promise<unknown>[] = [];
  for (const { atNs, action } of plan.faults) {
    await sleepUntil(startedAt + atNs / 1e6, stop);
    if (stop.aborted) return;
    say(`plan at ${(atNs / 1e9).toFixed(1)} s: ${describeAction(action)}`);
    // A restart may outlast the next fault's time, but faults keep their times.
    const performing = perform(control, action, say);
    performing.catch((error: Error) => say(`${describeAction(action)}: ${error.message}`));
    underWay.push(performing);
  }
  // With `converge`, failed starts are repeated and judged when all is over.
  await (plan.expect.includes('converge') ? Promise.allSettled(underWay) : Promise.all(underWay));
  await sleepUntil(startedAt + lastEndMs(plan), stop);
}

function coresOfAction(action: FaultAction): readonly number[] {
  if (action.type === 'rule') return peersOfRule(action.rule).filter(isCore);
  return 'cores' in action ? action.cores : [];
}

/** When the last fault that ends by itself has ended. */
function lastEndMs({ faults }: FaultPlan): number {
  return Math.max(
    0,
    ...faults.map(({ atNs, action }) => {
      const forNs = action.type === 'rule' ? action.rule.for_ns : 'forNs' in action ? action.forNs : null;
      return (atNs + (forNs ?? 0)) / 1e6;
    }),
  );
}

function sleepUntil(at: number, stop: AbortSignal): Promise<void> {
  const pause = at - performance.now();
  if (pause <= 0 || stop.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = callAfter(pause, resolve);
    stop.addEventListener(
      'abort',
      () => {
        timer.cancel();
        resolve();
      },
      { once: true },
    );
  });
}

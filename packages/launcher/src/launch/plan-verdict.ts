import type { Expectation, FaultPlan } from '@mk/machine/fault-plan';
import type { ReportBuilder } from '@mk/machine/report/report-builder';
import type { ClusterSession } from '../supervisor/cluster-session.ts';
import { Convergence } from './plan-checks.ts';
import { partDeaths, revive } from './plan-revival.ts';

/** A broken expectation, and what did not hold. */
export interface Broken {
  readonly name: Expectation;
  readonly text: string;
}

export function named(name: Expectation, texts: readonly string[]): readonly Broken[] {
  return texts.map((text) => ({ name, text }));
}

/** What is known when a plan's faults are over. */
interface Known {
  readonly rounds: readonly string[];
  readonly workload: readonly string[];
  /** Deaths of processes, from the plan's beginning to now. */
  readonly deaths: () => readonly string[];
}

/**
 * The plan's expectations that did not hold. A cluster that must converge first gets back what its views left behind.
 */
export async function judge(
  plan: FaultPlan,
  session: ClusterSession,
  { rounds, workload, deaths }: Known,
  say: (text: string) => void,
): Promise<readonly Broken[]> {
  const expected = (name: Expectation): boolean => plan.expect.includes(name);
  const converge = expected('converge')
    ? [...(await revive(plan, session, say)), ...(await new Convergence(session).check())]
    : [];
  const parted = partDeaths(plan, deaths());
  for (const death of parted.explained) say(`left behind by a view: ${death}`);
  return [
    ...named('workload', expected('workload') ? workload : []),
    ...named('converge', converge),
    ...named('invariants', expected('invariants') ? [...rounds, ...parted.others] : []),
  ];
}

/** How long the processes' lines on the end of a fault may take to arrive. */
const LINES_MS = 5000;

/** Waits until every running core has reported the effects of faults that are over. */
export async function lastLines({ supervisor }: ClusterSession, report: ReportBuilder): Promise<void> {
  const until = performance.now() + LINES_MS;
  while (performance.now() < until) {
    const running = supervisor.cores().filter(([, { state }]) => state === 'running');
    const awaited = new Set(running.map(([core, { incarnation }]) => `${core} ${incarnation}`));
    if (!report.untold.some((who) => awaited.has(who))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

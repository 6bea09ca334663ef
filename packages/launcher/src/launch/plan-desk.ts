import { asError } from '@mk/monitor-proto/thrown';
import { join } from 'node:path';
import { type FaultPlan, parseFaultPlan } from '@mk/machine/fault-plan';
import { keptIn } from '@mk/machine/report/io/kept-reports';
import { CommandError } from '../cli/usage-error.ts';
import type { ClusterSession } from '../supervisor/cluster-session.ts';
import type { PlanTold } from '../client/plan-told.ts';
import type { PlanPort } from '../supervisor/plan-port.ts';
import type { NamedProgram } from '../programs/program-run.ts';
import { workloadProgram } from './plan-program.ts';
import { type GivenPlan, PLAN_STATUS, PlanReport } from './plan-report.ts';
import { revive } from './plan-revival.ts';
import { refuseUnsupported, runPlan } from './plan-runner.ts';

/** How long a request for news waits. */
const WAIT_MS = 1000;

interface Run {
  readonly lines: string[];
  readonly stop: AbortController;
  status: PlanTold['status'];
}

/** Runs fault plans in a running cluster, one at a time, and keeps their output for anyone who asks. */
export class PlanDesk implements PlanPort {
  private run: Run | null = null;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly session: ClusterSession) {}

  async begin(text: string, folder: string | null): Promise<void> {
    if (this.run !== null && this.run.status === null)
      throw new CommandError('a plan runs in this cluster already; wait for its end');
    const parsed = parseFaultPlan(text, 'plan');
    if (!parsed.ok) throw new CommandError(parsed.error);
    const plan = parsed.value;
    const cores = Math.max(-1, ...this.session.supervisor.cores().map(([core]) => core)) + 1;
    refuseUnsupported(plan, cores);
    const run: Run = { lines: [], stop: new AbortController(), status: null };
    this.run = run;
    try {
      const program = await workloadProgram(plan, cores);
      void this.go({ file: folder === null ? 'given' : join(folder, 'plan.yaml'), text, plan }, run, program, folder);
    } catch (error) {
      run.status = 2;
      throw error;
    }
  }

  private async go(given: GivenPlan, run: Run, program: NamedProgram | null, folder: string | null): Promise<void> {
    const { session } = this;
    const say = (line: string): void => this.say(run, line);
    const kept = new PlanReport(given, session.config, ['--plan', given.file]);
    const unfollow = session.supervisor.logs.follow((line) => kept.line(line));
    try {
      const report = await runPlan(given.plan, session, { say, report: kept.builder }, run.stop.signal, program);
      if (report.why !== null) {
        say(report.why);
        await this.undo(given.plan, say);
      }
      const written = folder === null ? null : keptIn(folder, report);
      if (written?.ok === false) say(written.error);
      this.over(run, PLAN_STATUS[report.verdict]);
    } catch (error) {
      say(`the plan could not be judged: ${asError(error).message}`);
      this.over(run, PLAN_STATUS.unknown);
    } finally {
      unfollow();
    }
  }

  /** The cluster lives on: an unfinished plan leaves no fault behind, and no crashed core that it was to restart. */
  private async undo(plan: FaultPlan, say: (line: string) => void): Promise<void> {
    const { control, supervisor } = this.session;
    if (supervisor.ending) return;
    const { healed, woken } = await control.heal('all');
    if (healed.length + woken.length > 0) say(`healed ${[...healed, ...woken].join(', ')}`);
    for (const text of await revive(plan, this.session, say)) say(text);
  }

  async told(from: number): Promise<PlanTold> {
    const { run } = this;
    if (run === null) throw new CommandError('no plan was begun in this cluster');
    if (run.lines.length <= from && run.status === null) await this.something();
    return { lines: run.lines.slice(from), next: run.lines.length, status: run.status };
  }

  stop(): void {
    this.run?.stop.abort();
  }

  private say(run: Run, line: string): void {
    run.lines.push(line);
    this.wake();
  }

  private over(run: Run, status: 0 | 1 | 2): void {
    run.status = status;
    this.wake();
  }

  private wake(): void {
    for (const waker of [...this.waiting]) waker();
  }

  private something(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, WAIT_MS);
      this.waiting.add(done);
    });
  }
}

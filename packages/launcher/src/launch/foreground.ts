import { jsonLine } from '../cli/machine-output.ts';
import { momentByDate } from '@mk/monitor-proto/io/dates';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { askProcess } from '../client/ask.ts';
import { describeSummary, summariseByRelation } from '../client/latency-summary.ts';
import { actingUrl, type PagePlace } from '../boot/page-place.ts';
import type { Terminal } from '../cli/terminal.ts';
import { ClusterSession } from '../supervisor/cluster-session.ts';
import { SlowReader } from '../supervisor/slow-reader.ts';
import type { BootResult } from '../supervisor/supervisor.ts';
import { clock, LogPrinter } from '../display/log-printer.ts';
import type { LaunchRequest } from './options.ts';
import { workloadProgram } from './plan-program.ts';
import { type GivenPlan, PLAN_STATUS, PlanReport } from './plan-report.ts';
import { runPlan } from './plan-runner.ts';
import type { NamedProgram } from '../programs/program-run.ts';
import { ProgressDisplay } from './progress.ts';
import { readyText } from '../display/ready-table.ts';
import { onInterrupts } from '../cli/interrupts.ts';
import { PlanDesk } from './plan-desk.ts';
import { servePage } from './serve-page.ts';

/**
 * Runs a cluster for this process's lifetime: boots, shows what happens, ends it on Ctrl-C. Exit status: 0 after a
 * clean end, 1 when a plan's invariant broke, 2 when boot failed or the end was forced.
 */
export async function runForeground(request: LaunchRequest, terminal: Terminal): Promise<number> {
  // Nothing boots for a program that does not compile.
  const program = await workloadProgram(request.plan?.plan ?? null, request.config.cores);
  return new ForegroundRun(request, terminal, program).run();
}

class ForegroundRun {
  private readonly session: ClusterSession;
  private readonly progress: ProgressDisplay;
  private readonly printer: LogPrinter;
  private readonly planStop = new AbortController();
  private planRun: Promise<void> = Promise.resolve();
  private ready = false;
  private readyAt: () => number = () => Infinity;
  private finished = false;
  private readonly lines = new SlowReader('stdout', process.stdout);
  private finish: (status: number) => void = () => undefined;
  private readonly end = new Promise<number>((resolve) => (this.finish = resolve));

  constructor(
    private readonly request: LaunchRequest,
    private readonly terminal: Terminal,
    /** The program of the plan's workload. */
    private readonly program: NamedProgram | null,
  ) {
    this.progress = new ProgressDisplay(terminal);
    this.printer = new LogPrinter(
      terminal,
      () => this.readyAt(),
      (text) => this.say(text),
    );
    this.session = new ClusterSession(request.config, {
      servePage,
      planPort: (session) => new PlanDesk(session),
      progress: (progress) => request.json || this.progress.update(progress),
      logged: (_process, line) => this.logged(line),
      died: (process, how, lastWords) =>
        this.say(
          `${process} died (${how})${lastWords === '' ? '' : `: ${lastWords}`}; start it again with mkctl restart`,
        ),
      warned: (_process, text) => this.terminal.error(`mk: ${text}`),
      noted: (text) => this.say(text),
      shutdownAsked: () => this.endEarly(),
    });
  }

  async run(): Promise<number> {
    const { request, session } = this;
    this.tellSeed();
    const release = onInterrupts({
      first: () => this.interrupted(),
      second: () => this.forced(),
      last: () => session.supervisor.killAllNow(),
    });
    try {
      const result = await this.boot();
      this.tellReady(result);
      if (request.page !== null) await this.openPage(request.page);
      if (request.forMs !== null) callAfter(request.forMs, () => this.endEarly()).unref();
      if (request.plan !== null) this.planRun = this.runPlan(request.plan);
      else void this.tellLatencies();
      const status = await this.end;
      this.printer.flush();
      this.tellStopping();
      this.finished = true;
      await session.close();
      await this.planRun;
      this.tellStopped();
      return status;
    } finally {
      release();
    }
  }

  private async boot(): Promise<BootResult> {
    try {
      const result = await this.session.open();
      this.ready = true;
      this.readyAt = momentByDate();
      return result;
    } catch (error) {
      this.finished = true;
      throw error;
    } finally {
      this.progress.end();
    }
  }

  private async openPage(place: PagePlace): Promise<void> {
    const { session, request, terminal } = this;
    try {
      const url = actingUrl(await session.openPage(place), session.supervisor.token);
      terminal.out(request.json ? JSON.stringify({ type: 'page', url }) : `page     ${url}`);
    } catch (error) {
      this.finished = true;
      await session.close();
      throw error;
    }
  }

  private async runPlan(given: GivenPlan): Promise<void> {
    const { session, request, terminal } = this;
    const kept = new PlanReport(given, request.config, process.argv.slice(2));
    const unfollow = session.supervisor.logs.follow((line) => kept.line(line));
    const listener = { say: (text: string): void => this.say(text), report: kept.builder };
    const report = await runPlan(given.plan, session, listener, this.planStop.signal, this.program);
    unfollow();
    this.printer.flush();
    kept.tell(report, request, terminal);
    this.finish(PLAN_STATUS[report.verdict]);
  }

  /** The first Ctrl-C: ends the boot or, later, the cluster. */
  private interrupted(): void {
    if (this.ready) this.endEarly();
    else this.session.supervisor.interruptBoot();
  }

  /** A clean end, except that a plan's outcome stays unknown. */
  private endEarly(): void {
    this.planStop.abort();
    this.finish(this.request.plan === null ? 0 : PLAN_STATUS.unknown);
  }

  private forced(): void {
    void this.session.closeNow().then(() => process.exit(2));
  }

  private logged(line: string): void {
    if (this.request.json) this.lines.line(line);
    else if (this.ready && !this.finished) this.printer.add(line);
  }

  private say(text: string): void {
    if (this.finished) return;
    if (this.request.json) this.terminal.out(JSON.stringify({ type: 'note', time: Date.now(), text }));
    else
      this.terminal.out(
        /^\S*\d\d:\d\d:\d\d/.test(text) ? text : `${this.terminal.colour.dim(clock(Date.now()))} ${text}`,
      );
  }

  private tellSeed(): void {
    const { config, json } = this.request;
    this.terminal.out(json ? JSON.stringify({ type: 'seed', seed: config.seed }) : `seed ${config.seed}`);
  }

  private tellReady(result: BootResult): void {
    const { request, session, terminal } = this;
    if (!request.json) return terminal.out(readyText(session, request.machine, result, terminal));
    const { secret: _secret, tls: _tls, ...record } = session.record();
    terminal.out(jsonLine({ type: 'ready', ...result, ...record }));
  }

  private tellStopping(): void {
    if (this.request.json) this.terminal.out(JSON.stringify({ type: 'stopping' }));
    else this.terminal.out('stopping; Ctrl-C again ends everything at once');
  }

  private tellStopped(): void {
    if (this.request.json) this.terminal.out(JSON.stringify({ type: 'stopped' }));
    else this.terminal.out('stopped');
  }

  /** Reports the links' latencies once, with the first measurement. */
  private async tellLatencies(): Promise<void> {
    const { session, request } = this;
    if (request.json || request.config.cores < 2) return;
    try {
      while (!this.finished) {
        await new Promise((resolve) => setTimeout(resolve, 300).unref());
        const { skbAddress, access } = session.supervisor;
        if ((await askProcess('skb', skbAddress, access, 'status')).measuring) continue;
        const rows = await askProcess('skb', skbAddress, access, 'rtt');
        if (rows.length === 0) continue;
        this.say('round trips measured:');
        for (const summary of summariseByRelation(rows, (a, b) => request.machine.machine.relation(a, b)))
          this.terminal.out(`  ${describeSummary(summary)}`);
        return;
      }
    } catch {
      // The SKB is busy or gone; mkctl links can ask later.
    }
  }
}

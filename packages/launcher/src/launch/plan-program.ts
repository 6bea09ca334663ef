import { outputLines } from '@mk/libmk/dispatcher/output-lines';
import { asError } from '@mk/monitor-proto/thrown';
import { known } from '@mk/monitor-proto/assert';
import type { FaultPlan, Workload } from '@mk/machine/fault-plan';
import type { DomainStatus } from '@mk/libmk/dispatcher/domain-status';
import { ControlError } from '@mk/libmk/io/control-call';
import { killDomain } from '@mk/libmk/io/domains';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import type { Cores } from '../client/cores.ts';
import { CommandError } from '../cli/usage-error.ts';
import { type LogLine, parseLine } from '../display/log-printer.ts';
import { programNamed } from '../programs/bundle.ts';
import { OpenDomains } from '../programs/open-domains.ts';
import { beginDomains, describeEnd, type NamedProgram, placesOf } from '../programs/program-run.ts';
import type { ClusterSession } from '../supervisor/cluster-session.ts';
import { sessionCores } from '../supervisor/session-cores.ts';
import type { PlanWorkload } from './plan-churn.ts';

/** How long the program may run once the faults are over; `mk-launch sim run` allows the same. */
const LIMIT_MS = 300_000;
/** For a program's last lines, which arrive by another way than the news of its end. */
const LINES_MS = 10_000;
/** Ends of a domain that lost its core. */
const LOST: ReadonlySet<string> = new Set(['HOME_GONE', 'DISPATCHER_LOST']);
/** A program's own checks must hold in each of its domains, whoever began it. */
const BROKEN: ReadonlySet<unknown> = new Set(['ASSERTION_FAILED', 'INVARIANT_VIOLATED']);

/**
 * The program of a plan's workload, bundled; null if the plan has no workload, or churn, which is not a program. Throws
 * CommandError.
 */
export async function workloadProgram(plan: FaultPlan | null, cores: number): Promise<NamedProgram | null> {
  const workload = plan?.workload ?? null;
  if (workload === null || workload.program === 'churn') return null;
  const missing = workload.on?.find((core) => core >= cores);
  if (missing !== undefined)
    throw new CommandError(`the plan’s workload is on core ${missing}, but there are ${cores} (0 to ${cores - 1})`, 2);
  return programNamed(workload.program);
}

/**
 * Runs a program on the cluster while the plan's faults happen. As in the simulator: no assertion or invariant of the
 * program breaks in any of its domains (PR1), each domain that was begun here exits with 0 unless a fault took its core
 * (PR2), and each ends (PR3).
 */
export class ProgramWorkload implements PlanWorkload {
  private readonly cores: Cores;
  private readonly lines: OpenDomains;
  private readonly wrong: string[] = [];
  private readonly domains: string[] = [];
  private running: Promise<void> = Promise.resolve();
  private unfollow: () => void = () => undefined;
  private abandoned = false;

  constructor(
    private readonly session: ClusterSession,
    private readonly workload: Workload,
    private readonly program: NamedProgram,
    /** Whether the plan has faults: if so, a core and everything on it may be lost. */
    private readonly faulty: boolean,
    private readonly say: (text: string) => void,
  ) {
    this.cores = sessionCores(session);
    this.lines = new OpenDomains(({ core, domain, text }) => say(outputLines(core, domain, text)));
  }

  start(): void {
    this.unfollow = this.session.supervisor.logs.follow((text) => this.logged(parseLine(text)));
    this.running = this.run().catch((error: unknown) => {
      this.wrong.push(`${this.program.name} could not be run: ${asError(error).message}`);
    });
  }

  async end(stop: AbortSignal): Promise<readonly string[]> {
    const ended = await within(LIMIT_MS, this.running, stop);
    if (!ended && !stop.aborted) {
      this.wrong.push(`${this.program.name} did not end within ${LIMIT_MS / 1000} s after the faults`);
      for (const domain of this.domains) await killDomain(this.cores, domain).catch(() => undefined);
    }
    this.unfollow();
    return this.wrong;
  }

  async abandon(): Promise<void> {
    this.abandoned = true;
    this.unfollow();
    for (const domain of this.domains) await killDomain(this.cores, domain).catch(() => undefined);
  }

  private async run(): Promise<void> {
    const { cores, program, workload } = this;
    const places = await placesOf(cores, program, workload.on);
    const ends = await beginDomains(cores, { program, ...places, args: workload.args }, (domain) => {
      this.domains.push(domain);
      if (this.abandoned) void killDomain(cores, domain).catch(() => undefined);
      this.lines.begun(domain);
    });
    const whole = await Promise.all(ends.map((end) => this.judged(end, known(places.on[0]))));
    this.lines.haveBegun();
    // A home that was lost cannot report that its domain has finished.
    if (whole.every(Boolean)) await within(LINES_MS, this.lines.allOver(), null);
  }

  /** Judges how a domain ends; false when its home was lost. */
  private async judged(end: Promise<DomainStatus>, home: number): Promise<boolean> {
    try {
      this.judge(await end);
      return true;
    } catch (error) {
      if (!this.faulty || !(error instanceof ControlError)) throw error;
      this.say(`workload ${this.program.name}: its core ${home} was lost (${error.error})`);
      return false;
    }
  }

  private judge(status: DomainStatus): void {
    const { cause } = status;
    const text = describeEnd(status, this.program);
    this.say(`workload ${text}`);
    if (cause === 'exited' ? status.status !== 0 : !(this.faulty && LOST.has(cause)) && !BROKEN.has(cause))
      this.wrong.push(text);
  }

  private logged(line: LogLine | null): void {
    if (line === null) return;
    if (line.event === 'domain_finished' && line['program'] === this.program.name && BROKEN.has(line['cause']))
      this.wrong.push(`${this.program.name} (${line['domain']}) ended with ${line['cause']}: ${line['text']}`);
    this.lines.line(line);
  }
}

/** Whether something ended within the time. */
async function within(limitMs: number, what: Promise<void>, stop: AbortSignal | null): Promise<boolean> {
  const limit = new Promise<false>((resolve) => {
    const timer = callAfter(limitMs, () => resolve(false)).unref();
    void what.then(() => timer.cancel());
    stop?.addEventListener('abort', () => resolve(false), { once: true });
    if (stop?.aborted === true) resolve(false);
  });
  return Promise.race([what.then(() => true), limit]);
}

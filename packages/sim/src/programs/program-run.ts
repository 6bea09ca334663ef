import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import { known } from '@mk/monitor-proto/assert';
import { type CoreId, isCore, type Nanos } from '@mk/monitor-proto/ids';
import type { ProgramLoad } from '../engine/scenario.ts';
import type { Simulation } from '../engine/simulation.ts';
import type { RunningTurn } from './sim-programs.ts';
import type { ProgramWorld } from './program-world.ts';

/** The options of a run with a program, besides its scenario. */
export interface ProgramOptions {
  readonly name: string;
  /** The bundle: the very text that a running core runs. */
  readonly text: string;
  readonly world: ProgramWorld;
  /**
   * Runs a piece of the simulation, which ends early when it is tired; null if it did not come back within a bound of
   * the host's time.
   */
  readonly bounded: <T>(run: (tired: () => boolean) => T) => { readonly value: T } | null;
}

/** A line that a program printed. */
export interface OutputLine {
  readonly at: Nanos;
  readonly core: CoreId;
  readonly domain: string;
  readonly stream: string;
  readonly text: string;
}

/** How a domain begun by the run ended. */
export interface ProgramEnd {
  readonly core: CoreId;
  readonly domain: string;
  readonly cause: string;
  readonly status: number;
  readonly text: string;
}

/** A turn of a program did not return: the run must start over, and end that turn as a core would. */
export class EndlessTurn extends Error {
  constructor(readonly turn: RunningTurn) {
    super(`${turn.program} (${turn.domain}) does not return from its turn`);
  }
}

/** Nothing simulated takes that long, so the host stalled: the run starts over. */
export class Stalled extends Error {}

/** Lines kept of a run: as many as anybody reads. */
const LINES_KEPT = 10_000;
/** Ends of a domain that lost its core, through no fault of the program. */
const LOST = new Set(['HOME_GONE', 'DISPATCHER_LOST']);
/** A program's own checks must hold in each domain, whoever began it and whether or not anybody waits for it. */
const BROKEN: ReadonlySet<string> = new Set(['ASSERTION_FAILED', 'INVARIANT_VIOLATED']);

type Reply = Parameters<Parameters<Simulation['control']>[3]>[0];
type Report = (checker: string, invariant: string, text: string) => void;

/**
 * A program in a run: given to the core of its first domain, begun on its cores, waited for.
 *
 *   PR1  no assertion and no invariant of a program breaks, in any of its domains;
 *   PR2  every domain that the run began exits with status 0, unless a fault took its core, or what it needed, which its
 *        status tells;
 *   PR3  every domain that the run began ends.
 */
export class ProgramRun {
  readonly output: OutputLine[] = [];
  readonly ends: ProgramEnd[] = [];
  private open: number;
  private readonly home: CoreId;

  constructor(
    private readonly simulation: Simulation,
    private readonly load: ProgramLoad,
    private readonly options: ProgramOptions,
    private readonly report: Report,
    /** Whether faults may take cores in this run. */
    private readonly faulty: boolean,
  ) {
    this.open = load.on.length;
    this.home = known(load.on[0]);
    simulation.observe({ line: (line, { id }) => void (isCore(id) && this.line(line as never, id)) });
  }

  get ended(): boolean {
    return this.open === 0;
  }

  begin(): void {
    const { name, text } = this.options;
    const encoded = Buffer.from(text, 'utf8').toString('base64');
    this.simulation.control(this.home, 'program_load', { name, text: encoded }, (reply) => {
      if (!reply.ok) return this.lost(this.load.on.length, reply);
      for (const core of this.load.on) this.spawn(core);
    });
  }

  /** Keeps a piece of the run from lasting for ever. */
  bounded(run: (tired: () => boolean) => boolean): boolean {
    const done = this.options.bounded(run);
    if (done !== null) return done.value;
    const { running } = this.simulation.programs;
    if (running === null) throw new Stalled('the simulation itself did not return from some steps');
    throw new EndlessTurn(running);
  }

  /** Kills what is left of the run: domains whose parent was lost, or that were meant to stay. */
  clear(): void {
    for (const { id, kernel } of this.simulation.nodes.values())
      for (const { spec, finished } of kernel?.services.programs.homes.all() ?? [])
        if (!finished) this.simulation.control(id, 'domain_kill', { domain: spec.domain }, () => undefined);
  }

  /** PR3, when its time is up. */
  reportOpen(): void {
    this.report('program', 'PR3', `${this.open} of ${this.load.on.length} domains of ${this.options.name} did not end`);
  }

  private spawn(core: CoreId): void {
    const { args, cores } = this.load;
    const request = { program: this.options.name, core, args, environment: { CORES: cores.join(',') } };
    this.simulation.control(this.home, 'domain_spawn', request, (reply) => {
      if (!reply.ok) return this.lost(1, reply);
      const { domain } = reply.value;
      this.simulation.control(this.home, 'domain_wait', { domain }, (ended) => {
        if (ended.ok) this.finished(core, ended.value);
        else this.lost(1, ended, core, domain);
      });
    });
  }

  private finished(core: CoreId, { domain, cause, status, text }: Omit<ProgramEnd, 'core'>): void {
    this.open -= 1;
    this.ends.push({ core, domain, cause, status, text });
    if ((this.faulty && LOST.has(cause)) || BROKEN.has(cause)) return; // PR1 has reported it
    if (cause !== 'exited')
      this.report('program', 'PR2', `${this.options.name} (${domain}) ended with ${cause}: ${text}`);
    else if (status !== EXIT_STATUS.done && !(this.faulty && status === EXIT_STATUS.lost))
      this.report('program', 'PR2', `${this.options.name} (${domain}) exited with ${status}`);
  }

  /** The core that was asked is gone: expected with faults, reported without. */
  private lost(count: number, reply: Reply, core = this.home, domain = ''): void {
    this.open -= count;
    const { error, text } = reply.ok ? { error: '', text: '' } : reply;
    this.ends.push({ core, domain, cause: error, status: 1, text });
    if (!this.faulty) this.report('program', 'PR2', `${this.options.name} could not be run: ${error}: ${text}`);
  }

  private line(line: Readonly<Record<string, string>> & { readonly mono_ns?: number }, core: CoreId): void {
    if (line['event'] === 'program_output') {
      if (this.output.length >= LINES_KEPT) return;
      const { domain = '', stream = '', text = '' } = line;
      this.output.push({ at: this.simulation.now, core, domain, stream, text });
    } else if (line['event'] === 'domain_finished' && BROKEN.has(known(line['cause']))) {
      const { program, domain, cause, text } = line;
      this.report('program', 'PR1', `${program} (${domain}): ${cause}: ${text}`);
    }
  }
}

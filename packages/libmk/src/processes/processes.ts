import type { DomainStatus } from '../dispatcher/domain-status.ts';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { WaitOptions } from '../runtime/waiting.ts';

/** What a new domain is given. */
export interface SpawnOptions {
  /** The core of its first dispatcher; by default this core. */
  readonly core?: CoreId;
  readonly args?: readonly string[];
  /** By default this program's. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Addresses of this program's capabilities; the new program gets copies, at `mk.given`. */
  readonly capabilities?: readonly number[];
  /** Best effort: its share of the core relative to other programs. */
  readonly weight?: number;
  /** Hard real-time, nanoseconds: at most `wcet` in every `period`, by `deadline`. */
  readonly realTime?: { readonly wcet: number; readonly period: number; readonly deadline?: number };
}

/** A domain: a program that runs, on one core or several. */
export class Process {
  constructor(
    private readonly runtime: Runtime,
    /** Its name: `core.incarnation.n`. */
    readonly domain: string,
  ) {}

  /** Waits until all its dispatchers have stopped. */
  async wait(options: WaitOptions = {}): Promise<DomainStatus> {
    return this.runtime.calls.ask('wait', [this.domain, false], options);
  }

  /** Its present status (*nohang*). */
  async status(): Promise<DomainStatus> {
    return this.runtime.calls.ask('wait', [this.domain, true]);
  }

  /** Stops all its dispatchers; `wait` resolves when they have. */
  async kill(): Promise<void> {
    await this.runtime.calls.ask('kill', [this.domain]);
  }
}

/** `mk.processes`: other domains. */
export class Processes {
  constructor(private readonly runtime: Runtime) {}

  /**
   * Starts a program as a new domain: by the name under which the machine knows it, or null for this program again.
   *
   * @example
   * const child = await mk.processes.spawn(null, { core: 2, args: ['worker'] });
   * const { status } = await child.wait();
   */
  async spawn(program: string | null, options: SpawnOptions = {}): Promise<Process> {
    const { realTime, ...rest } = options;
    const request: Record<string, PlainValue> = { ...rest, ...realTime };
    if (program !== null) request['program'] = program;
    const { domain } = await this.runtime.calls.ask('spawn', [request]);
    return new Process(this.runtime, domain);
  }

  /** A domain by its name. */
  named(domain: string): Process {
    return new Process(this.runtime, domain);
  }

  /** The domains whose home this core is. */
  async list(): Promise<readonly (DomainStatus & { readonly program: string })[]> {
    return this.runtime.calls.ask('domains', []);
  }
}

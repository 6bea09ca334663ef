import { handlerFor } from '@mk/monitor-proto/handlers';
import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import type { ParentMessage } from '@mk/monitor-proto/io/parent';
import {
  type BootAction,
  type BootEvent,
  BootMachine,
  type BootProgress,
  coreName,
  SKB,
  title,
} from '../boot/boot-machine.ts';
import { type ClusterConfig, coreEnvironment, skbEnvironment } from '../boot/cluster-config.ts';
import { coreProgram, skbProgram } from '../boot/programs.ts';
import { type Access, accessOf, callControl, splitAddress } from '@mk/libmk/io/control-call';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { CertificateDesk } from '../tls/certificate-desk.ts';
import { CommandError } from '../cli/usage-error.ts';
import { LogHub } from './log-hub.ts';
import type { ProcessRecord } from '@mk/libmk/io/cluster-record';
import { AdoptedBody } from './adopted-body.ts';
import { ChildBody } from './child-body.ts';
import { ManagedProcess, type ProcessEvents } from './managed-process.ts';
import { NOT_STARTED } from './process-body.ts';

/** Observes a cluster, to show or record it. */
export interface SupervisorObserver {
  progress?(progress: BootProgress): void;
  /** A line that a process logged. */
  logged?(process: string, line: string): void;
  /** Processes came or went: the record must be rewritten. */
  changed?(): void;
  /** A process ended that nobody had asked to. */
  died?(process: string, how: string, lastWords: string): void;
  /** A process carries on, but lacks something that it should have. */
  warned?(process: string, text: string): void;
}

/** The result of a boot. */
export interface BootResult {
  readonly cores: number;
  readonly links: number;
  /** From the first process started to the mesh complete. */
  readonly elapsedMs: number;
}

const NO_PROCESS = { pid: -1, startedTicks: null };
/** How long a process may take to end before it is killed. */
const PATIENCE_MS = 5000;
/** A core that does not answer within this time is skipped when a death is reported. */
const REAPED_MS = 3000;

/**
 * Runs the processes of one cluster: starts them together, watches them, ends them.
 *
 *   SV1  when `stop` or `killAll` has resolved, no process started here runs;
 *   SV2  a core's number belongs to at most one running process.
 */
export class Supervisor {
  readonly processes = new Map<string, ManagedProcess>();
  readonly logs = new LogHub();
  /** Processes that ended after boot though nobody had asked them to. */
  readonly deaths: string[] = [];
  access: Access;
  /** Where cores look for the SKB, once it has listened: after a restart it must listen there again. */
  skbPort: number;
  /** Null: this cluster speaks no TLS. */
  readonly certificates: CertificateDesk | null;
  private boot: { readonly machine: BootMachine; readonly perform: (actions: readonly BootAction[]) => void } | null =
    null;
  private stopping: Promise<void> | null = null;
  private interruptedBeforeBoot = false;

  constructor(
    readonly config: ClusterConfig,
    private readonly observer: SupervisorObserver = {},
  ) {
    this.certificates = config.tls === undefined ? null : new CertificateDesk(config.tls, config.name);
    this.access = accessOf(config.secret, null);
    this.skbPort = config.port;
  }

  get token(): string {
    return this.access.token;
  }

  /** The TLS credentials of that process, for which some were prepared; empty without TLS. */
  credentialsOf(name: string): { readonly tls?: TlsSettings } {
    return this.certificates === null ? {} : { tls: this.certificates.of(name) };
  }

  /** Prepares what the supervisor, its clients and its first processes need; once, before all else. */
  async prepare(processes = processNames(this.config.cores)): Promise<void> {
    const { certificates, config } = this;
    if (certificates === null) return;
    await certificates.prepare(['launcher', 'client', ...processes]);
    this.access = accessOf(config.secret, certificates.of('launcher'));
  }

  get ending(): boolean {
    return this.stopping !== null;
  }

  get skb(): ManagedProcess | undefined {
    return this.processes.get(SKB);
  }

  /** The address of the SKB, once it listens. */
  get skbAddress(): string {
    return this.skb?.address ?? '';
  }

  /** Where cores open their links to the SKB, once it listens. */
  get skbLinks(): string {
    return this.skb?.links ?? '';
  }

  core(core: CoreId): ManagedProcess | undefined {
    return this.processes.get(coreName(core));
  }

  /** All cores ever started, by number. */
  cores(): (readonly [core: CoreId, process: ManagedProcess])[] {
    return [...this.processes]
      .filter(([name]) => name !== SKB)
      .map(([name, process]) => [Number(name.slice('core-'.length)), process] as const)
      .sort(([a], [b]) => a - b);
  }

  /**
   * Starts everything; resolves when all cores are bound to one another. If boot fails, everything has been stopped.
   */
  async start(): Promise<BootResult> {
    const startedAt = performance.now();
    try {
      await this.runBoot();
      return {
        cores: this.config.cores,
        links: known(this.boot).machine.progress.links,
        elapsedMs: performance.now() - startedAt,
      };
    } catch (error) {
      await this.killAll();
      throw error;
    } finally {
      this.boot = null;
    }
  }

  /** Ends a boot under way: `start` rejects. */
  interruptBoot(): void {
    this.interruptedBeforeBoot = this.boot === null;
    this.bootEvent({ type: 'interrupted' });
  }

  startSkb(listenPort: number): ManagedProcess {
    const skb = this.spawn(SKB, skbProgram(), {
      MK_SKB: skbEnvironment(this.config, listenPort, this.credentialsOf(SKB)),
    });
    skb.tell({ type: 'machine', machine: this.config.machine });
    return skb;
  }

  startCore(core: CoreId, skbLinks: string | null = this.skbLinks): ManagedProcess {
    return this.spawn(coreName(core), coreProgram(), {
      MK_CORE: coreEnvironment(this.config, core, skbLinks, this.credentialsOf(coreName(core))),
    });
  }

  /** Restarts the SKB on the port that the cores know. */
  restartSkb(): ManagedProcess {
    return this.startSkb(this.skbPort);
  }

  /** Ends all processes cleanly, cores first; kills those that do not end in time. */
  stop(): Promise<void> {
    this.stopping ??= this.endInOrder();
    return this.stopping;
  }

  /** Ends all processes at once. */
  async killAll(): Promise<void> {
    this.stopping ??= Promise.resolve();
    for (const process of this.processes.values()) {
      process.endWanted = true;
      process.kill();
    }
    await Promise.all([...this.processes.values()].map((process) => process.whenEnded()));
  }

  /** The last resort of a process that is about to end: neither promises nor waits. */
  killAllNow(): void {
    for (const process of this.processes.values()) if (!process.ended) process.kill();
  }

  private runBoot(): Promise<void> {
    const { config } = this;
    return new Promise<void>((resolve, reject) => {
      const machine = new BootMachine(config.cores);
      const timer = callAfter(config.bootTimeoutMs, () =>
        this.bootEvent({ type: 'deadline', afterMs: config.bootTimeoutMs }),
      );
      const settle = (then: () => void): void => {
        timer.cancel();
        then();
      };
      const performers: { readonly [T in BootAction['type']]: (action: Extract<BootAction, { type: T }>) => void } = {
        tell_cores: ({ skbLinks }) => {
          for (const [, process] of this.cores()) process.tell({ type: 'skb', address: skbLinks });
        },
        progress: ({ progress }) => this.observer.progress?.(progress),
        complete: () => settle(resolve),
        fail: ({ reason }) => settle(() => reject(new CommandError(reason, 2))),
      };
      this.boot = {
        machine,
        perform: (actions) => actions.forEach((action) => handlerFor(performers, action.type)(action)),
      };
      if (this.interruptedBeforeBoot) return this.bootEvent({ type: 'interrupted' });
      try {
        this.spawnAll();
      } catch (error) {
        settle(() => reject(error));
      }
    });
  }

  private spawnAll(): void {
    const { config } = this;
    this.startSkb(config.port);
    for (let core = 0; core < config.cores; core++) this.startCore(core, null);
  }

  private bootEvent(event: BootEvent): void {
    if (this.boot !== null) this.boot.perform(this.boot.machine.step(event));
  }

  private spawn(name: string, program: string, environment: Readonly<Record<string, string>>): ManagedProcess {
    const { detached } = this.config;
    const body = new ChildBody({ name, program, environment, detached, errorFile: this.errorFileOf(name) });
    const process = new ManagedProcess(name, body, this.events);
    this.processes.set(name, process);
    this.observer.changed?.();
    return process;
  }

  /**
   * Takes over the processes that an earlier supervisor started. One that has ended meanwhile is reported as ending
   * now; a core whose end that supervisor saw, among the `cores` ever started, can be started again.
   */
  adopt(rows: readonly ProcessRecord[], cores: number): void {
    for (const row of rows) {
      const process = new ManagedProcess(row.name, new AdoptedBody(row, this.errorFileOf(row.name)), this.events);
      process.wasRecorded(row);
      this.noteSkbPort(process);
      this.processes.set(row.name, process);
    }
    for (const name of processNames(cores)) if (!this.processes.has(name)) this.adoptEnded(name);
  }

  private adoptEnded(name: string): void {
    const body = new AdoptedBody(NO_PROCESS, null, 'before its cluster was taken over');
    const process = new ManagedProcess(name, body, this.events);
    process.endWanted = true;
    this.processes.set(name, process);
  }

  private errorFileOf(name: string): string | null {
    const { detached, logDir } = this.config;
    return detached && logDir !== null ? `${logDir}/${name}.stderr` : null;
  }

  private readonly events: ProcessEvents = {
    message: (process, message) => this.heard(process, message),
    logged: (process, line) => {
      this.logs.add(line);
      this.observer.logged?.(process.name, line);
    },
    ended: (process, how) => {
      const { name, lastWords, endWanted } = process;
      this.bootEvent({ type: 'exited', process: name, how, lastWords, started: how !== NOT_STARTED });
      if (this.processes.get(name) === process) this.observer.changed?.();
      if (this.boot === null && !this.ending) this.tellDeath(process);
      if (endWanted || this.boot !== null || this.ending) return;
      this.deaths.push(`${title(name)} died (${how})${lastWords === '' ? '' : `: ${lastWords}`}`);
      this.observer.died?.(title(name), how, lastWords);
    },
  };

  /** Proof of death: the core's process was reaped, so nobody has to wait for its lease. */
  private tellDeath({ name, incarnation }: ManagedProcess): void {
    if (name === SKB || incarnation === 0) return;
    const core = Number(name.slice('core-'.length));
    for (const [, { ended, state, address }] of this.cores()) {
      if (ended || state === 'hung' || address === '') continue;
      void callControl(address, this.access, 'reaped', { core, incarnation }, { timeoutMs: REAPED_MS }).catch(
        () => undefined, // silent cores hear of it from the others, by the view
      );
    }
  }

  private heard(process: ManagedProcess, message: ParentMessage): void {
    const { name } = process;
    if (message.type === 'listening') {
      this.noteSkbPort(process);
      this.bootEvent({ type: 'listening', process: name, links: process.links });
    } else if (message.type === 'registered') this.bootEvent({ type: 'registered', process: name });
    else if (message.type === 'failed') this.bootEvent({ type: 'failed', process: name, error: message.error });
    else if (message.type === 'warning') this.observer.warned?.(title(name), message.text);
    else if (message.type !== 'takes_part') this.bootEvent(message);
    if ((message.type === 'listening' || message.type === 'registered') && this.boot === null)
      this.observer.changed?.();
    for (const watcher of [...this.watchers]) watcher();
  }

  private noteSkbPort({ name, address }: ManagedProcess): void {
    if (name === SKB && address !== '') this.skbPort = splitAddress(address).port;
  }

  private readonly watchers = new Set<() => void>();

  /**
   * Resolves when the condition holds, which is checked whenever a process reports something; rejects after
   * `timeoutMs`.
   */
  until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const done = (then: () => void): void => {
        timer.cancel();
        this.watchers.delete(look);
        then();
      };
      const look = (): void => {
        if (condition()) done(resolve);
      };
      const timer = callAfter(timeoutMs, () =>
        done(() => reject(new CommandError(`${what} within ${timeoutMs / 1000} s`))),
      );
      this.watchers.add(look);
    });
  }

  private async endInOrder(): Promise<void> {
    await endThese(this.cores().map(([, process]) => process));
    if (this.skb !== undefined) await endThese([this.skb]);
  }
}

/** The SKB and that many cores. */
function processNames(cores: number): readonly string[] {
  return [SKB, ...Array.from({ length: cores }, (_, core) => coreName(core))];
}

/** SIGTERM, patience, SIGKILL. */
async function endThese(processes: readonly ManagedProcess[]): Promise<void> {
  const running = processes.filter((process) => !process.ended);
  for (const process of running) process.terminate();
  const timer = setTimeout(() => running.forEach((process) => process.kill()), PATIENCE_MS);
  await Promise.all(running.map((process) => process.whenEnded()));
  clearTimeout(timer);
}

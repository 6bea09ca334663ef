import { formatDuration } from '@mk/machine/duration';
import { type FaultRule, checkFaultRule } from '@mk/monitor-proto/link/fault-rule';
import type { ActiveRule, HealTarget } from '@mk/monitor-proto/link/fault-engine';
import type { LogFields } from '@mk/monitor-proto/log-events';
import { coreName, SKB, title } from '../boot/boot-machine.ts';
import { callControl } from '../client/control-client.ts';
import { concernsSender, coresOfRule } from '../client/concerned.ts';
import { describeFault } from '../client/describe-fault.ts';
import { sumActiveRules } from '../client/sum-rules.ts';
import { CommandError } from '../cli/usage-error.ts';
import { FaultBook } from './fault-book.ts';
import type { ManagedProcess } from './managed-process.ts';
import type { Supervisor } from './supervisor.ts';

/** Which process a verb means: a core's number, or the SKB. */
export type Target = number | 'skb';

/** A process as `mkctl ps` shows it. */
export interface ProcessRow {
  readonly name: string;
  readonly pid: number;
  readonly state: string;
  readonly incarnation: number;
  readonly address: string;
  readonly how: string;
}

/** Writes a log line of the supervisor's own. */
export type Log = (event: 'fault_applied' | 'fault_healed', fields: LogFields) => void;

const JOIN_MS = 30_000;
/** A core that does not answer a fault within this is told when it wakes. */
const TELL_MS = 3000;

/**
 * The verbs that act on the processes of a running cluster: crash, restart, hang, heal, faults on links, more cores.
 */
export class ProcessControl {
  readonly book = new FaultBook();
  private readonly wakeTimers = new Map<Target, NodeJS.Timeout>();
  private readonly restarting = new Set<Target>();

  constructor(
    private readonly supervisor: Supervisor,
    private readonly note: (text: string) => void = () => undefined,
    private readonly log: Log = () => undefined,
  ) {}

  ps(): ProcessRow[] {
    const rows = [...this.supervisor.processes.values()].map(({ name, pid, state, incarnation, address, how }) => ({
      name,
      pid,
      state,
      incarnation,
      address,
      how,
    }));
    return rows.sort((a, b) => rank(a.name) - rank(b.name));
  }

  /** SIGKILL. Resolves when the process is gone. */
  async crash(target: Target): Promise<void> {
    const process = this.running(target);
    process.endWanted = true;
    process.kill();
    await process.whenEnded();
    this.note(`crashed ${named(target)}`);
    this.log('fault_applied', { rule: `crash:${target}`, text: `crash ${target}` });
  }

  /** Ends the process if it runs, and starts a new incarnation; resolves when it has joined. */
  async restart(target: Target): Promise<ProcessRow> {
    this.refuseWhenEnding();
    if (this.restarting.has(target)) throw new CommandError(`${named(target)} is being restarted already`);
    const old = this.known(target);
    this.restarting.add(target);
    try {
      this.cancelWake(target);
      await this.end(old);
      this.refuseWhenEnding();
      const process = target === 'skb' ? this.supervisor.restartSkb() : this.supervisor.startCore(target);
      await this.joined(process);
      this.log('fault_healed', { rule: `crash:${target}`, affected: 0 });
      this.note(
        `restarted ${named(target)}${target === 'skb' ? '' : `: it joined as incarnation ${process.incarnation}`}`,
      );
      return this.ps().find(({ name }) => name === process.name)!;
    } finally {
      this.restarting.delete(target);
    }
  }

  /** SIGSTOP, and SIGCONT after the time if there is one. A second hang replaces the time of the first. */
  hang(target: Target, forMs: number | null): void {
    const process = this.running(target);
    process.hang();
    this.log('fault_applied', { rule: `hang:${target}`, text: `hang ${target}` });
    this.note(`${named(target)} hangs${forMs === null ? '' : ` for ${forMs / 1000} s`}`);
    this.cancelWake(target);
    if (forMs !== null)
      this.wakeTimers.set(
        target,
        setTimeout(() => void this.wake(target), forMs),
      );
  }

  /** Lets a hung process run on and tells it what it missed; false when it did not hang. */
  async wake(target: Target): Promise<boolean> {
    this.cancelWake(target);
    const process = this.process(target);
    if (process?.resume() !== true) return false;
    this.log('fault_healed', { rule: `hang:${target}`, affected: 0 });
    this.note(`${named(target)} runs on`);
    if (target === 'skb') return true;
    for (const rule of this.book.takeMissed(target, Date.now()))
      await this.tell(process, 'fault_add', { rule }).catch(() => undefined);
    return true;
  }

  /** Puts a rule in force on every core that can hear of it; the cores that could not be told yet. */
  async addFault(given: unknown): Promise<{ readonly id: string; readonly missing: readonly number[] }> {
    const rule = checkFaultRule(given);
    if (typeof rule === 'string') throw new CommandError(rule);
    this.refuseUnknownCores(rule);
    const missing = await this.tellAll('fault_add', { rule }, undefined, (core) => concernsSender(rule, core));
    this.book.add(rule, missing, Date.now());
    this.note(
      `fault ${rule.id}: ${describeFault(rule)}${rule.for_ns === null ? '' : ` for ${formatDuration(rule.for_ns)}`}`,
    );
    return { id: rule.id, missing };
  }

  /** Ends link faults; `all` wakes hung processes too. A crashed core stays crashed: `restart` is its own verb. */
  async heal(target: HealTarget): Promise<{ readonly healed: readonly string[]; readonly woken: readonly string[] }> {
    this.book.heal(target);
    const woken: string[] = [];
    if (target === 'all') {
      for (const { name } of this.ps().filter(({ state }) => state === 'hung'))
        if (await this.wake(targetOf(name))) woken.push(name);
    }
    const healed = new Set<string>();
    await this.tellAll('fault_heal', { target }, (value) =>
      (value as { healed: string[] }).healed.forEach((id) => healed.add(id)),
    );
    this.note(healed.size === 0 ? 'nothing to heal on the links' : `healed ${[...healed].join(', ')}`);
    return { healed: [...healed], woken };
  }

  /** The rules in force, what they did summed over all cores. */
  async faults(): Promise<readonly ActiveRule[]> {
    const lists: ActiveRule[][] = [];
    await this.tellAll('faults', {}, (value) => void lists.push(value as ActiveRule[]));
    return sumActiveRules(lists);
  }

  /** Starts so many more cores; their numbers. Resolves when all have joined. */
  async addCores(count: number): Promise<readonly number[]> {
    this.refuseWhenEnding();
    const taken = new Set(this.supervisor.cores().map(([core]) => core));
    const free: number[] = [];
    for (let core = 0; free.length < count && core < this.supervisor.config.maxCores; core++)
      if (!taken.has(core)) free.push(core);
    if (free.length < count)
      throw new CommandError(
        `the machine ${this.supervisor.config.machineName} has room for ${free.length} more cores, not for ${count}`,
      );
    await Promise.all(free.map((core) => this.joined(this.supervisor.startCore(core))));
    return free;
  }

  close(): void {
    for (const timer of this.wakeTimers.values()) clearTimeout(timer);
    this.wakeTimers.clear();
  }

  private async joined(process: ManagedProcess): Promise<void> {
    const what = `${title(process.name)} did not join`;
    await this.supervisor.until(
      () => process.ended || process.state === 'running' || process.state === 'hung',
      JOIN_MS,
      what,
    );
    if (process.ended)
      throw new CommandError(`${title(process.name)} ended while it started (${process.how}): ${process.lastWords}`);
    if (process.name === SKB) return;
    for (const rule of this.book.forNewCore(coreOf(process.name), Date.now()))
      await this.tell(process, 'fault_add', { rule });
  }

  private async end(process: ManagedProcess): Promise<void> {
    process.terminate();
    const timer = setTimeout(() => process.kill(), TELL_MS);
    await process.whenEnded();
    clearTimeout(timer);
  }

  /** Tells every core that runs; returns those that should have heard and did not. */
  private async tellAll(
    verb: string,
    args: object,
    onValue: (value: unknown) => void = () => undefined,
    wanted: (core: number) => boolean = () => true,
  ): Promise<number[]> {
    const missing: number[] = [];
    const reachable = this.supervisor.cores().filter(([core, process]) => !process.ended && wanted(core));
    await Promise.all(
      reachable.map(async ([core, process]) => {
        if (process.state !== 'running') return void missing.push(core);
        await this.tell(process, verb, args).then(onValue, (error: Error) => {
          if (error.message.startsWith('BAD_REQUEST')) throw new CommandError(error.message);
          if (!process.ended) missing.push(core);
        });
      }),
    );
    return missing;
  }

  private tell(process: ManagedProcess, verb: string, args: object): Promise<unknown> {
    return callControl(process.address, this.supervisor.token, verb, args, { timeoutMs: TELL_MS });
  }

  private refuseUnknownCores(rule: FaultRule): void {
    for (const core of coresOfRule(rule)) {
      if (core < 60_000 && this.supervisor.core(core) === undefined)
        throw new CommandError(`there is no core ${core}; mkctl ps lists the cores`);
    }
  }

  private refuseWhenEnding(): void {
    if (this.supervisor.ending) throw new CommandError('the cluster is shutting down');
  }

  private process(target: Target): ManagedProcess | undefined {
    return target === 'skb' ? this.supervisor.skb : this.supervisor.core(target);
  }

  private known(target: Target): ManagedProcess {
    const process = this.process(target);
    if (process === undefined) throw new CommandError(`there is no ${named(target)}; mkctl ps lists the processes`);
    return process;
  }

  private running(target: Target): ManagedProcess {
    this.refuseWhenEnding();
    const process = this.known(target);
    if (process.ended)
      throw new CommandError(
        `${named(target)} does not run (${process.how}); start it again with mkctl restart ${target}`,
      );
    return process;
  }

  private cancelWake(target: Target): void {
    clearTimeout(this.wakeTimers.get(target));
    this.wakeTimers.delete(target);
  }
}

function named(target: Target): string {
  return target === 'skb' ? 'SKB' : `core ${target}`;
}

function targetOf(name: string): Target {
  return name === SKB ? 'skb' : coreOf(name);
}

function rank(name: string): number {
  return name === SKB ? -1 : coreOf(name);
}

/** The number in a core's process name. */
function coreOf(name: string): number {
  return Number(name.slice(coreName(0).length - 1));
}

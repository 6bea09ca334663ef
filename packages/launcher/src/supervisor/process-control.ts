import { known } from '@mk/monitor-proto/assert';
import { fetchText } from '@mk/libmk/io/control-call';
import { isRecord, isWhole } from '@mk/monitor-proto/guards';
import { type PeerId, SKB_PEER, isCore } from '@mk/monitor-proto/ids';
import { nowNs } from '@mk/monitor-proto/io/clock';
import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';
import type { ActiveRule, HealTarget } from '@mk/monitor-proto/link/rule-state';
import type { LogFields } from '@mk/monitor-proto/log-events';
import { isRogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';
import { coreName, SKB, title } from '../boot/boot-machine.ts';
import { askProcess } from '../client/ask.ts';
import type { Healed, ProcessRow } from '../client/answers.ts';
import type { FaultTarget } from '../client/fault-targets.ts';
import { CommandError } from '../cli/usage-error.ts';
import { FaultDesk } from './fault-desk.ts';
import { Slowdowns } from './slowdowns.ts';
import { Rogues } from './rogues.ts';
import type { ManagedProcess } from './managed-process.ts';
import { NOT_STARTED } from './process-body.ts';
import type { Supervisor } from './supervisor.ts';

/** The process that a verb acts on: a core's number, or the SKB. */
export type Target = number | 'skb';

/** Writes a log line of the supervisor's own. */
export type Log = (event: 'fault_applied' | 'fault_healed', fields: LogFields) => void;

const JOIN_MS = 30_000;
/** A view may have to wait for a lease to run out, or for a majority: this is the longest that anybody waits. */
const VIEW_MS = 10_000;
/** A process that does not answer about a fault within this time is told later. */
const TELL_MS = 3000;
/** Pause between two questions to a joining core. */
const LEARN_MS = 200;

/** Acts on the processes of a running cluster: crash, restart, hang, heal, faults on links, more cores. */
export class ProcessControl {
  private readonly faultDesk: FaultDesk<ManagedProcess>;
  private readonly wakeTimers = new Map<Target, LongTimer>();
  private readonly restarting = new Set<Target>();
  private readonly slowdowns: Slowdowns;
  private readonly rogues: Rogues<ManagedProcess>;

  constructor(
    private readonly supervisor: Supervisor,
    private readonly note: (text: string) => void = () => undefined,
    private readonly log: Log = () => undefined,
  ) {
    this.faultDesk = new FaultDesk({
      processes: () => this.processesByPeer(),
      ask: ({ address }, verb, args) =>
        askProcess('core', address, supervisor.access, verb, args, { timeoutMs: TELL_MS }),
      nowNs,
      note,
    });
    this.slowdowns = new Slowdowns(note, log);
    this.rogues = new Rogues({
      ask: ({ address }, args) => askProcess('core', address, supervisor.access, 'rogue', args, { timeoutMs: TELL_MS }),
      note,
      log,
    });
  }

  /**
   * The processes were taken over from a supervisor that was killed. Ends what it had injected and would have ended,
   * and a process that it had just started, whose address nobody knows.
   */
  async takenOver(takeovers: number): Promise<void> {
    for (const process of this.supervisor.processes.values())
      if (process.address === '' && !process.ended) {
        process.endWanted = true;
        process.kill();
      } else if (process.name !== SKB) this.learnIncarnation(process);
    const cores = this.supervisor.cores().filter(([, { ended, endWanted }]) => !ended && !endWanted);
    await Promise.all([this.faultDesk.follow(takeovers), this.rogues.follow(cores)]);
  }

  /** A core that was joining when its supervisor died cannot report that it has joined: poll it. */
  private learnIncarnation(process: ManagedProcess): void {
    if (process.ended || process.incarnation > 0) return;
    void fetchText(process.address, this.supervisor.access, '/healthz')
      .then(({ body }) => process.registeredAs(incarnationIn(body)))
      .catch(() => undefined)
      .finally(() => setTimeout(() => this.learnIncarnation(process), LEARN_MS).unref());
  }

  ps(): ProcessRow[] {
    const rows = [...this.supervisor.processes.values()].map((process) => {
      const { name, pid, state, incarnation, address, how } = process;
      return {
        name,
        pid,
        state,
        incarnation,
        address,
        how: how === '' ? this.slowdowns.describe(name) : howItEnded(process),
      };
    });
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
    if (target !== 'skb') this.refuseWithoutSkb(named(target));
    this.restarting.add(target);
    try {
      this.cancelWake(target);
      await this.end(old);
      await this.supervisor.certificates?.renew(old.name);
      this.refuseWhenEnding();
      const process = target === 'skb' ? this.supervisor.restartSkb() : this.supervisor.startCore(target);
      await this.joined(process);
      this.log('fault_healed', { rule: `crash:${target}`, affected: 0 });
      this.note(
        `restarted ${named(target)}${target === 'skb' ? '' : `: it joined as incarnation ${process.incarnation}`}`,
      );
      return known(this.ps().find(({ name }) => name === process.name));
    } finally {
      this.restarting.delete(target);
    }
  }

  /** SIGSTOP, and SIGCONT after `forMs` if given. A second hang replaces the first one's duration. */
  hang(target: Target, forMs: number | null): void {
    const process = this.running(target);
    process.hang();
    this.log('fault_applied', { rule: `hang:${target}`, text: `hang ${target}` });
    this.note(`${named(target)} hangs${forMs === null ? '' : ` for ${forMs / 1000} s`}`);
    this.cancelWake(target);
    if (forMs !== null)
      this.wakeTimers.set(
        target,
        callAfter(forMs, () => void this.wake(target)),
      );
  }

  /** Slows a core's process to one part in `factor` of the time, for `forMs` or until a heal. */
  slow(core: number, factor: number, forMs: number | null): void {
    this.slowdowns.begin(this.running(core), factor, forMs);
  }

  /** Wakes a hung process and tells it what it missed; false if it was not hung. */
  async wake(target: Target): Promise<boolean> {
    if (!this.resume(target)) return false;
    await this.faultDesk.bring(peerOf(target), this.known(target));
    return true;
  }

  private resume(target: Target): boolean {
    this.cancelWake(target);
    if (this.process(target)?.resume() !== true) return false;
    this.log('fault_healed', { rule: `hang:${target}`, affected: 0 });
    this.note(`${named(target)} runs on`);
    return true;
  }

  /** Makes a core's monitor misbehave in one more way, for `forMs` or until a heal. */
  rogue(core: number, behaviour: unknown, forMs: number | null): Promise<void> {
    if (typeof behaviour !== 'string' || !isRogueBehaviour(behaviour))
      throw new CommandError('rogue: no such behaviour');
    return this.rogues.begin(core, this.running(core), behaviour, forMs);
  }

  /** Puts a rule in force on every process that can hear of it; resolves with those that could not be reached yet. */
  addFault(rule: unknown): Promise<{ readonly id: string; readonly missing: readonly FaultTarget[] }> {
    return this.faultDesk.add(rule);
  }

  /** Ends link faults; `all` also wakes hung processes. A crashed core stays crashed: `restart` is its own verb. */
  async heal(target: HealTarget): Promise<Healed> {
    const woken: string[] = [];
    if (typeof target === 'object' && target !== null && 'from' in target)
      for (const end of [target.from, target.to]) if (isCore(end)) this.known(end);
    if (target === 'all') {
      for (const { name } of this.ps().filter(({ state }) => state === 'hung'))
        if (this.resume(targetOf(name))) woken.push(name);
    }
    const sped = this.slowdowns.heal(target);
    const behaved = await this.rogues.heal(target);
    const { healed, missing } = await this.faultDesk.heal(target);
    return {
      healed: [...sped, ...behaved.healed, ...healed],
      missing: [...new Set([...behaved.missing, ...missing])],
      woken,
    };
  }

  /** The rules in force, with their effects summed over all processes. */
  faults(): Promise<readonly ActiveRule[]> {
    return this.faultDesk.list();
  }

  /** Starts so many more cores; resolves with their numbers when all have joined. */
  async addCores(count: number): Promise<readonly number[]> {
    this.refuseWhenEnding();
    const free = await this.certifiedFree(count);
    this.refuseWhenEnding();
    this.refuseWithoutSkb(free.length === 1 ? `core ${free[0]}` : 'new cores');
    await Promise.all(free.map((core) => this.joined(this.supervisor.startCore(core))));
    return free;
  }

  /** Unused numbers, with certificates if there are any; others may take some meanwhile. */
  private async certifiedFree(count: number): Promise<readonly number[]> {
    const { certificates } = this.supervisor;
    for (;;) {
      const free = this.freeNumbers(count);
      const uncertified = certificates === null ? [] : free.map(coreName).filter((name) => !certificates.has(name));
      if (uncertified.length === 0) return free;
      await certificates?.prepare(uncertified);
    }
  }

  private freeNumbers(count: number): readonly number[] {
    const taken = new Set(this.supervisor.cores().map(([core]) => core));
    const free: number[] = [];
    for (let core = 0; free.length < count && core < this.supervisor.config.maxCores; core++)
      if (!taken.has(core)) free.push(core);
    if (free.length < count)
      throw new CommandError(
        `the machine ${this.supervisor.config.machineName} has room for ${free.length} more cores, not for ${count}`,
      );
    return free;
  }

  close(): void {
    for (const timer of this.wakeTimers.values()) timer.cancel();
    this.wakeTimers.clear();
    this.slowdowns.close();
    this.rogues.close();
    this.faultDesk.close();
  }

  private async joined(process: ManagedProcess): Promise<void> {
    const what = `${title(process.name)} did not join`;
    await this.supervisor.until(
      () => process.ended || process.state === 'running' || process.state === 'hung',
      JOIN_MS,
      what,
    );
    if (process.how === NOT_STARTED)
      throw new CommandError(`${title(process.name)} could not be started: ${process.lastWords}`);
    if (process.ended)
      throw new CommandError(`${title(process.name)} ended while it started (${process.how}): ${process.lastWords}`);
    await this.faultDesk.bring(peerOf(targetOf(process.name)), process);
    if (process.name !== SKB) await this.inView(process);
  }

  /** A registered core takes part once a view with it is installed: at once, unless the others wait for somebody. */
  private async inView(process: ManagedProcess): Promise<void> {
    const settled = (): boolean => process.takesPart || process.ended || process.state === 'hung';
    try {
      await this.supervisor.until(settled, VIEW_MS, '');
    } catch {
      this.note(`${title(process.name)} is in no view yet; mkctl view shows for whom the others wait`);
    }
  }

  private async end(process: ManagedProcess): Promise<void> {
    process.terminate();
    const timer = setTimeout(() => process.kill(), TELL_MS);
    await process.whenEnded();
    clearTimeout(timer);
  }

  /** Cores join through the SKB: one started without it would wait, and then be reported late. */
  private refuseWithoutSkb(who: string): void {
    const { skb } = this.supervisor;
    if (skb?.state === 'hung') throw new CommandError(`${who} cannot join: the SKB hangs; mkctl heal wakes it`);
    if (skb === undefined || skb.ended)
      throw new CommandError(
        `${who} cannot join: the SKB does not run (${skb?.how || 'never started'}); first mkctl restart skb`,
      );
  }

  private refuseWhenEnding(): void {
    if (this.supervisor.ending) throw new CommandError('the cluster is shutting down');
  }

  private processesByPeer(): { readonly peer: PeerId; readonly process: ManagedProcess }[] {
    const cores = this.supervisor.cores().map(([peer, process]) => ({ peer, process }));
    const { skb } = this.supervisor;
    return skb === undefined ? cores : [...cores, { peer: SKB_PEER, process: skb }];
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
    this.wakeTimers.get(target)?.cancel();
    this.wakeTimers.delete(target);
  }
}

/** A core's incarnation in its answer to /healthz; 0: it has none yet. */
function incarnationIn(body: string): number {
  const health: unknown = JSON.parse(body);
  return isRecord(health) && isWhole(health['incarnation'], 1) ? health['incarnation'] : 0;
}

function named(target: Target): string {
  return target === 'skb' ? 'SKB' : `core ${target}`;
}

function peerOf(target: Target): PeerId {
  return target === 'skb' ? SKB_PEER : target;
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

/** How it ended, with its last words unless somebody asked for its end. */
function howItEnded({ how, lastWords, endWanted }: ManagedProcess): string {
  return endWanted || lastWords === '' ? how : `${how}: ${lastWords}`;
}

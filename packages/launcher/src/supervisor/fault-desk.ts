import type { CoreAnswers } from '../client/answers.ts';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import { formatDuration } from '@mk/machine/duration';
import { type Nanos, type PeerId, peerName } from '@mk/monitor-proto/ids';
import { callAfter, type LongTimer } from '@mk/monitor-proto/io/long-timer';
import { FaultEngine } from '@mk/monitor-proto/link/fault-engine';
import { checkFaultRule, type FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { concernsSender } from '@mk/monitor-proto/link/rule-scope';
import { type ActiveRule, isHealTarget, type StandingRule } from '@mk/monitor-proto/link/rule-state';
import { createPrng } from '@mk/monitor-proto/prng';
import { CommandError } from '../cli/usage-error.ts';
import { describeFault } from '@mk/machine/describe-fault';
import { askTargets, type FaultTarget, refuseUnknownCores } from '../client/fault-targets.ts';
import { sumActiveRules } from '../client/sum-rules.ts';

/** A process whose links obey faults. */
export interface FaultedProcess {
  readonly ended: boolean;
  readonly state: 'starting' | 'listening' | 'running' | 'hung' | 'ended';
}

/** What the desk needs: processes, and the time. */
export interface FaultDeskHost<P extends FaultedProcess> {
  processes(): readonly { readonly peer: PeerId; readonly process: P }[];
  /** Calls a verb of a process's control port; rejects when it does not answer in time. */
  ask<V extends string>(process: P, verb: V, args: object): Promise<AnswerOf<CoreAnswers, V>>;
  nowNs(): Nanos;
  note(text: string): void;
}

/** No desk has issued more changes than this. */
const VERSIONS_OF_A_DESK = 2 ** 32;
/** Pauses between attempts to reach a running process that does not answer. */
const RETRY_MS = { first: 500, longest: 8000 } as const;

/**
 * The faults in force on the links of a running cluster, and which processes know of them.
 *
 * Guarantees: a fault that is added or healed is in force on every process that answers before the promise resolves. A
 * process that hangs, starts or does not answer is named, and gets everything then in force as soon as it answers. A
 * process gets one message after the other, each with everything that concerns it: what it missed is made up for, and
 * nothing healed comes back.
 */
export class FaultDesk<P extends FaultedProcess> {
  /** The rules in force. Here they decide no frame's fate, only what a heal ends and when a rule expires. */
  private readonly book = new FaultEngine({ prng: createPrng('never drawn from') });
  private version = 0;
  /** The least version that a peer needs: that of the last change that concerned it. */
  private readonly needed = new Map<PeerId, number>();
  private readonly told = new WeakMap<P, number>();
  private readonly telling = new WeakMap<P, Promise<void>>();
  private retry: LongTimer | null = null;
  private retryMs: number = RETRY_MS.first;

  constructor(private readonly host: FaultDeskHost<P>) {}

  /** Puts a rule in force. */
  async add(given: unknown): Promise<{ readonly id: string; readonly missing: readonly FaultTarget[] }> {
    const rule = checkFaultRule(given);
    if (typeof rule === 'string') throw new CommandError(rule);
    const known = new Set(this.host.processes().map(({ peer }) => peer));
    refuseUnknownCores(rule, (core) => known.has(core));
    const replaced = this.book.standing(this.host.nowNs()).filter((standing) => standing.rule.id === rule.id);
    this.book.add(rule, this.host.nowNs());
    const missing = await this.spread([rule, ...replaced.map((standing) => standing.rule)]);
    const time = rule.for_ns === null ? '' : ` for ${formatDuration(rule.for_ns)}`;
    this.host.note(`fault ${rule.id}: ${describeFault(rule)}${time}`);
    return { id: rule.id, missing };
  }

  /** Ends faults; resolves with the ids of the rules that ended or no longer concern the pair. */
  async heal(
    target: unknown,
  ): Promise<{ readonly healed: readonly string[]; readonly missing: readonly FaultTarget[] }> {
    if (!isHealTarget(target)) throw new CommandError('heal what: "all", {id} or {from, to}');
    const before = this.book.standing(this.host.nowNs());
    const healed = this.book.heal(target, this.host.nowNs());
    const missing = await this.spread(before.map(({ rule }) => rule).filter(({ id }) => healed.includes(id)));
    this.host.note(healed.length === 0 ? 'nothing to heal on the links' : `healed ${healed.join(', ')}`);
    return { healed, missing };
  }

  /** The rules in force, with their effects summed over the processes that answer. */
  async list(): Promise<readonly ActiveRule[]> {
    const running = this.host.processes().filter(({ process }) => process.state === 'running');
    const { values } = await askTargets(running, ({ process }) => this.host.ask(process, 'faults', {}));
    return sumActiveRules(values);
  }

  /** Brings a newly started or woken process up to date; resolves when it is, or when it does not answer yet. */
  async bring(peer: PeerId, process: P): Promise<void> {
    if (!this.isBehind(peer, process)) return;
    await this.inTurn(peer, process).catch(() => undefined);
    if (this.isBehind(peer, process)) this.tryAgain();
  }

  /**
   * Succeeds a desk that is gone: nothing is in force, and every process hears so, whatever that desk had ordered.
   * `generation`: greater than that of every desk before.
   */
  async follow(generation: number): Promise<void> {
    this.version = generation * VERSIONS_OF_A_DESK;
    for (const { peer } of this.host.processes()) this.needed.set(peer, this.version);
    await Promise.all(this.host.processes().map(({ peer, process }) => this.bring(peer, process)));
  }

  close(): void {
    this.retry?.cancel();
  }

  /** Tells every process that these rules concern; resolves with those that could not be reached yet. */
  private async spread(changed: readonly FaultRule[]): Promise<readonly FaultTarget[]> {
    this.version += 1;
    const processes = this.host.processes();
    for (const { peer } of processes)
      if (changed.some((rule) => concernsSender(rule, peer))) this.needed.set(peer, this.version);
    const behind = processes.filter(({ peer, process }) => !process.ended && this.isBehind(peer, process));
    await Promise.all(behind.map(({ peer, process }) => this.bring(peer, process)));
    return behind.filter(({ peer, process }) => this.isBehind(peer, process)).map(({ peer }) => peerName(peer));
  }

  private isBehind(peer: PeerId, process: P): boolean {
    return !process.ended && (this.told.get(process) ?? 0) < (this.needed.get(peer) ?? 0);
  }

  private inTurn(peer: PeerId, process: P): Promise<void> {
    const turn = (this.telling.get(process) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.tell(peer, process));
    this.telling.set(process, turn);
    return turn;
  }

  private async tell(peer: PeerId, process: P): Promise<void> {
    if (process.state !== 'running' || !this.isBehind(peer, process)) return;
    const { version } = this;
    await this.host.ask(process, 'fault_set', { version, rules: this.rulesFor(peer) });
    this.told.set(process, version);
  }

  private rulesFor(peer: PeerId): readonly StandingRule[] {
    return this.book.standing(this.host.nowNs()).filter(({ rule }) => concernsSender(rule, peer));
  }

  /**
   * Retries later, with growing pauses, while a running process has not been reached. A hung one is told when it wakes.
   */
  private tryAgain(): void {
    if (this.retry !== null) return;
    this.retry = callAfter(this.retryMs, () => {
      this.retry = null;
      this.retryMs = Math.min(RETRY_MS.longest, 2 * this.retryMs);
      const behind = this.host.processes().filter(({ peer, process }) => this.isBehind(peer, process));
      if (behind.length === 0) this.retryMs = RETRY_MS.first;
      for (const { peer, process } of behind) if (process.state !== 'hung') void this.bring(peer, process);
    }).unref();
  }
}

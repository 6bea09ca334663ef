import type { CoreAnswers } from '../client/answers.ts';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import { formatDuration } from '@mk/machine/duration';
import { type Nanos, type PeerId, peerName } from '@mk/monitor-proto/ids';
import { FaultEngine } from '@mk/monitor-proto/link/fault-engine';
import { checkFaultRule, type FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { concernsSender } from '@mk/monitor-proto/link/rule-scope';
import { type ActiveRule, isHealTarget, type StandingRule } from '@mk/monitor-proto/link/rule-state';
import { createPrng } from '@mk/monitor-proto/prng';
import { CommandError } from '../cli/usage-error.ts';
import { describeFault } from '@mk/machine/describe-fault';
import { askTargets, type FaultTarget, refuseUnknownCores } from '../client/fault-targets.ts';
import { sumActiveRules } from '../client/sum-rules.ts';

/** A process in which link faults act. */
export interface FaultedProcess {
  readonly ended: boolean;
  readonly state: 'starting' | 'listening' | 'running' | 'hung' | 'ended';
}

/** Where the desk finds processes and the time. */
export interface FaultDeskHost<P extends FaultedProcess> {
  processes(): readonly { readonly peer: PeerId; readonly process: P }[];
  /** Calls a verb of a process's control port; rejects when it does not answer in time. */
  ask<V extends string>(process: P, verb: V, args: object): Promise<AnswerOf<CoreAnswers, V>>;
  nowNs(): Nanos;
  note(text: string): void;
}

/** No desk has told of more changes than this. */
const VERSIONS_OF_A_DESK = 2 ** 32;
/** Pauses between tries to reach a running process that does not answer. */
const RETRY_MS = { first: 500, longest: 8000 } as const;

/**
 * The faults in force on the links of a running cluster, and who has been told of them.
 *
 * Guarantees: what is added or healed is in force on every process that answers, before the promise resolves; one that
 * hangs, starts or does not answer is named, and gets all that is then in force as soon as it answers. A process is
 * told one thing after the other, each time all that concerns it: what it missed is made up for, and nothing healed
 * comes back.
 */
export class FaultDesk<P extends FaultedProcess> {
  /** The rules in force. They decide no frame's fate here, only what a heal ends and when a rule expires. */
  private readonly book = new FaultEngine({ prng: createPrng('never drawn from') });
  private version = 0;
  /** The version that a peer needs at least: that of the last change that concerned it. */
  private readonly needed = new Map<PeerId, number>();
  private readonly told = new WeakMap<P, number>();
  private readonly telling = new WeakMap<P, Promise<void>>();
  private retry: NodeJS.Timeout | null = null;
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

  /** Ends faults; the ids of the rules that ended or no longer concern the pair. */
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

  /** The rules in force, what they did summed over the processes that answer. */
  async list(): Promise<readonly ActiveRule[]> {
    const running = this.host.processes().filter(({ process }) => process.state === 'running');
    const { values } = await askTargets(running, ({ process }) => this.host.ask(process, 'faults', {}));
    return sumActiveRules(values);
  }

  /** Brings a newly started or woken process up to date; resolves when it is, or does not answer yet. */
  async bring(peer: PeerId, process: P): Promise<void> {
    if (!this.isBehind(peer, process)) return;
    await this.inTurn(peer, process).catch(() => undefined);
    if (this.isBehind(peer, process)) this.tryAgain();
  }

  /**
   * Follows a desk that is gone: nothing is in force, and every process is told so, whatever that one had told it. `generation`: greater
   * than that of every desk before.
   */
  async follow(generation: number): Promise<void> {
    this.version = generation * VERSIONS_OF_A_DESK;
    for (const { peer } of this.host.processes()) this.needed.set(peer, this.version);
    await Promise.all(this.host.processes().map(({ peer, process }) => this.bring(peer, process)));
  }

  close(): void {
    if (this.retry !== null) clearTimeout(this.retry);
  }

  /** Tells every process that these rules concern; resolves with those that could not be told yet. */
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
   * Retries later, with growing pauses, while a running process has not been told. A hung one is told when it wakes.
   */
  private tryAgain(): void {
    if (this.retry !== null) return;
    this.retry = setTimeout(() => {
      this.retry = null;
      this.retryMs = Math.min(RETRY_MS.longest, 2 * this.retryMs);
      const behind = this.host.processes().filter(({ peer, process }) => this.isBehind(peer, process));
      if (behind.length === 0) this.retryMs = RETRY_MS.first;
      for (const { peer, process } of behind) if (process.state !== 'hung') void this.bring(peer, process);
    }, this.retryMs);
    this.retry.unref();
  }
}

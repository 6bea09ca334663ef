import { keysOf } from '../tables.ts';
import { known } from '../assert.ts';
import type { Nanos, PeerId } from '../ids.ts';
import type { Prng } from '../prng.ts';
import type { FaultRule } from './fault-rule.ts';
import { DROP, LinkModel, OPENING, PASS, type Retiming, type Verdict } from './link-model.ts';
import { applyOverrides, CLEAR_LINK, isClear } from './link-settings.ts';
import type { LinkSettings } from './link-settings.ts';
import {
  type ActiveRule,
  type HealTarget,
  pairKey,
  type RuleCounters,
  RuleState,
  type StandingRule,
} from './rule-state.ts';
import { RuleTotals } from './rule-totals.ts';

/** The outcome of replacing the whole set of rules, by their ids. */
export interface Replaced {
  /** Rules that were not in force, or have changed. */
  readonly begun: readonly string[];
  readonly ended: readonly string[];
}

export interface FaultEngineOptions {
  /** The settings of a directed pair that no rule concerns: the machine's latency. Absent: links are clear. */
  readonly base?: (from: PeerId, to: PeerId) => LinkSettings;
  /** The seed of all random choices: every directed pair draws from its own stream, split off by its name. */
  readonly prng: Prng;
  /** Frames under way from → to have new due times; their holder must apply this before returning. */
  readonly retimed?: (from: PeerId, to: PeerId, retime: Retiming) => void;
}

/**
 * Holds the fault rules in force and decides each frame's fate: one engine for the simulator (every pair) and for a
 * real core (pairs that begin at itself).
 *
 * Guarantees:
 * - F1 Without rules and with a clear base every verdict is `PASS` itself, at the cost of two comparisons.
 * - F2 A cut holds from the frame after `add`; frames under way still arrive.
 * - F3 Later rules override earlier ones, setting by setting.
 * - F4 Heal is now: when a rule changes, frames under way on its pairs are due as LM3 says.
 * - F5 The choices for one pair depend on the seed and on that pair's frames alone, not on traffic elsewhere.
 */
export class FaultEngine {
  private readonly base: (from: PeerId, to: PeerId) => LinkSettings;
  private readonly baseIsClear: boolean;
  private readonly prng: Prng;
  private readonly retimed: FaultEngineOptions['retimed'];
  private active = new Map<string, RuleState>();
  private readonly totals = new RuleTotals();
  private readonly expired: ActiveRule[] = [];
  private readonly pairs = new Map<number, Pair>();
  private version = 1;
  private nextExpiryNs = Infinity;
  /** True while every pair must be clear. */
  private idle: boolean;

  constructor(options: FaultEngineOptions) {
    this.base = options.base ?? clearBase;
    this.baseIsClear = options.base === undefined;
    this.idle = this.baseIsClear;
    this.prng = options.prng;
    this.retimed = options.retimed;
  }

  /** The verdict on a frame sent from → to now, on a link whose handshake ended at `openedAtNs`. */
  verdict(from: PeerId, to: PeerId, nowNs: Nanos, bytes: number, openedAtNs: Nanos = OPENING): Verdict {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    if (this.idle) return PASS;
    const pair = this.pairFor(from, to, nowNs);
    if (pair.cut !== null) {
      pair.cut.counters.frames += 1;
      pair.cut.counters.dropped += 1;
      return DROP.partition;
    }
    if (pair.model === null) return PASS;
    const verdict = pair.model.verdict(nowNs, bytes, openedAtNs);
    for (const rule of pair.rules) count(rule.counters, verdict);
    return verdict;
  }

  /** Whether nothing shapes the frames from → to now, so that they pass at once. */
  clear(from: PeerId, to: PeerId, nowNs: Nanos): boolean {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    if (this.idle) return true;
    const { cut, model } = this.pairFor(from, to, nowNs);
    return cut === null && (model === null || model.passes(nowNs));
  }

  /** The settings in force from → to: the base with every rule's overrides. */
  settings(from: PeerId, to: PeerId, nowNs: Nanos): LinkSettings {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return this.pairFor(from, to, nowNs).settings;
  }

  /** The id of the rule that cuts frames from → to, or null. */
  cutBy(from: PeerId, to: PeerId, nowNs: Nanos): string | null {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return this.pairFor(from, to, nowNs).cut?.rule.id ?? null;
  }

  /** Puts a rule in force; replaces the rule of the same id and restarts its counters. */
  add(rule: FaultRule, nowNs: Nanos): void {
    this.end(rule.id);
    this.active.set(rule.id, new RuleState(rule, nowNs));
    this.changed(nowNs);
  }

  /** Ends faults; returns the ids of the rules that ended or no longer concern the pair. */
  heal(target: HealTarget, nowNs: Nanos): readonly string[] {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    const ids = [...this.active.values()].filter((state) => state.heal(target)).map((state) => state.rule.id);
    for (const id of ids) if (known(this.active.get(id)).over) this.end(id);
    if (ids.length > 0) this.changed(nowNs);
    return ids;
  }

  /** The rules in force with their remaining time, oldest first, for `replaceAll` in another process. */
  standing(nowNs: Nanos): readonly StandingRule[] {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return [...this.active.values()].map((state) => state.standing(nowNs));
  }

  /** Puts exactly these rules in force; those already in force keep counting. Returns the ids of the others. */
  replaceAll(rules: readonly StandingRule[], nowNs: Nanos): Replaced {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    const before = this.active;
    this.active = new Map();
    const begun: string[] = [];
    for (const { rule, healed } of rules) {
      const state = new RuleState(rule, nowNs);
      for (const [from, to] of healed) state.healed.add(pairKey(from, to));
      const known = before.get(rule.id);
      if (known?.isLike(state) === true) state.goOnFrom(known);
      else begun.push(rule.id);
      this.active.set(rule.id, state);
    }
    for (const [id, state] of before) if (this.active.get(id)?.counters !== state.counters) this.totals.add(state);
    this.changed(nowNs);
    return { begun, ended: [...before.keys()].filter((id) => !this.active.has(id)) };
  }

  /** The rules in force, oldest first. */
  rules(nowNs: Nanos): readonly ActiveRule[] {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return [...this.active.values()].map((state) => state.display());
  }

  /** Totals of all rules under the ids in force since this process began: they never fall. */
  totalsOf(nowNs: Nanos): readonly Pick<ActiveRule, 'rule' | 'counters'>[] {
    return this.rules(nowNs).map(({ rule, counters }) => ({ rule, counters: this.totals.with(rule.id, counters) }));
  }

  /** The rules that have expired since the last call, with their final counters; for the log. */
  takeExpired(nowNs: Nanos): readonly ActiveRule[] {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return this.expired.splice(0);
  }

  /** When the next rule expires; Infinity: never. */
  get nextExpiry(): Nanos {
    return this.nextExpiryNs;
  }

  private end(id: string): void {
    const state = this.active.get(id);
    if (state === undefined) return;
    this.active.delete(id);
    this.totals.add(state);
  }

  private expire(nowNs: Nanos): void {
    for (const state of this.active.values()) {
      if (state.untilNs === null || state.untilNs > nowNs) continue;
      this.end(state.rule.id);
      this.expired.push(state.display());
    }
    if (this.expired.length > MAX_EXPIRED) this.expired.splice(0, this.expired.length - MAX_EXPIRED);
    this.changed(nowNs);
  }

  private changed(nowNs: Nanos): void {
    this.version += 1;
    this.nextExpiryNs = Infinity;
    for (const { untilNs } of this.active.values()) {
      if (untilNs !== null && untilNs < this.nextExpiryNs) this.nextExpiryNs = untilNs;
    }
    // Frames may still be under way on a formerly shaped pair, and nothing may overtake them.
    this.idle = this.baseIsClear && this.active.size === 0 && this.pairs.size === 0;
    for (const pair of this.pairs.values()) if (pair.model?.isUnderWay(nowNs) === true) this.refresh(pair, nowNs);
  }

  private pairFor(from: PeerId, to: PeerId, nowNs: Nanos): Pair {
    const key = pairKey(from, to);
    let pair = this.pairs.get(key);
    if (pair === undefined) {
      pair = new Pair(from, to);
      this.pairs.set(key, pair);
    }
    if (pair.version !== this.version) this.refresh(pair, nowNs);
    return pair;
  }

  private refresh(pair: Pair, nowNs: Nanos): void {
    const { from, to } = pair;
    const concerning = [...this.active.values()].filter((state) => state.concerns(from, to));
    let settings = this.base(from, to);
    for (const { rule } of concerning) {
      if (rule.kind === 'link') settings = applyOverrides(settings, rule.settings);
    }
    pair.version = this.version;
    pair.cut = concerning.find((state) => state.rule.kind !== 'link') ?? null;
    pair.rules = concerning.filter((state) => state.rule.kind === 'link');
    const changed = !sameSettings(settings, pair.settings);
    pair.settings = settings;
    if (pair.model === null) {
      if (!isClear(settings)) pair.model = new LinkModel(settings, this.prng.split(`link ${from}>${to}`));
    } else if (changed) {
      const retime = pair.model.update(settings, nowNs);
      if (retime !== null) this.retimed?.(from, to, retime);
    }
  }
}

/** Bound of expired rules that nobody took: more than a plan file holds means a caller that never asks. */
const MAX_EXPIRED = 1000;

class Pair {
  version = 0;
  cut: RuleState | null = null;
  rules: readonly RuleState[] = [];
  settings: LinkSettings = CLEAR_LINK;
  model: LinkModel | null = null;

  constructor(
    readonly from: PeerId,
    readonly to: PeerId,
  ) {}
}

function count(counters: RuleCounters, verdict: Verdict): void {
  counters.frames += 1;
  if (verdict.kind === 'pass') return;
  if (verdict.kind === 'drop') counters.dropped += 1;
  else if (verdict.kind === 'reset') counters.reset += 1;
  else if (verdict.kind === 'duplicate') counters.duplicated += 1;
  else counters.delayed += 1;
}

function clearBase(): LinkSettings {
  return CLEAR_LINK;
}

function sameSettings(a: LinkSettings, b: LinkSettings): boolean {
  return a === b || keysOf(a).every((name) => a[name] === b[name]);
}

import type { Nanos, PeerId } from '../ids.ts';
import type { Prng } from '../prng.ts';
import { ruleConcerns } from './fault-rule.ts';
import type { FaultRule } from './fault-rule.ts';
import { DROP, LinkModel, PASS } from './link-model.ts';
import type { Verdict } from './link-model.ts';
import { applyOverrides, CLEAR_LINK, isClear } from './link-settings.ts';
import type { LinkSettings } from './link-settings.ts';

/** What a rule did so far: a fault that did nothing shows zeros. */
export interface RuleCounters {
  /** Frames that the rule had a say in. */
  frames: number;
  dropped: number;
  delayed: number;
  duplicated: number;
  reset: number;
}

/** A rule in force, for display. */
export interface ActiveRule {
  readonly rule: FaultRule;
  readonly sinceNs: Nanos;
  readonly untilNs: Nanos | null;
  /** Directed pairs taken out of the rule by `heal({ from, to })`. */
  readonly healedPairs: number;
  readonly counters: Readonly<RuleCounters>;
}

/** What to heal: everything, one rule by its id, or the link between two peers, both directions. */
export type HealTarget = 'all' | { readonly id: string } | { readonly from: PeerId; readonly to: PeerId };

export interface FaultEngineOptions {
  /** The settings of a directed pair when no rule concerns it: the machine's latency. Absent: links are clear. */
  readonly base?: (from: PeerId, to: PeerId) => LinkSettings;
  /** Every directed pair draws from a stream of its own, split off by its name. */
  readonly prng: Prng;
}

/**
 * Holds the fault rules in force and says, frame by frame, what becomes of it: one engine for the simulator (every
 * pair) and for a real core (pairs that begin at itself).
 *
 * Guarantees:
 * - F1 Without rules and with a clear base every verdict is `PASS` itself, at the cost of two comparisons.
 * - F2 A cut holds from the frame after `add`; frames under way still arrive.
 * - F3 Later rules win over earlier ones, setting by setting.
 * - F4 The choices for one pair depend on the seed and on that pair's frames alone, not on traffic elsewhere.
 */
export class FaultEngine {
  private base: (from: PeerId, to: PeerId) => LinkSettings;
  private baseIsClear: boolean;
  private readonly prng: Prng;
  private readonly active = new Map<string, RuleState>();
  private readonly expired: ActiveRule[] = [];
  private readonly pairs = new Map<number, Pair>();
  private version = 1;
  private nextExpiryNs = Infinity;
  /** True while no pair can be anything but clear. */
  private idle: boolean;

  constructor(options: FaultEngineOptions) {
    this.base = options.base ?? clearBase;
    this.baseIsClear = options.base === undefined;
    this.idle = this.baseIsClear;
    this.prng = options.prng;
  }

  /** What becomes of a frame sent from → to now. */
  verdict(from: PeerId, to: PeerId, nowNs: Nanos, bytes: number): Verdict {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    if (this.idle) return PASS;
    const pair = this.pairFor(from, to);
    if (pair.cut !== null) {
      pair.cut.counters.frames += 1;
      pair.cut.counters.dropped += 1;
      return DROP.partition;
    }
    if (pair.model === null) return PASS;
    const verdict = pair.model.verdict(nowNs, bytes);
    for (const rule of pair.rules) count(rule.counters, verdict);
    return verdict;
  }

  /** Whether nothing shapes the frames from → to now: what is sent passes at once. */
  clear(from: PeerId, to: PeerId, nowNs: Nanos): boolean {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    if (this.idle) return true;
    const { cut, model } = this.pairFor(from, to);
    return cut === null && (model === null || model.passes(nowNs));
  }

  /** The settings in force from → to: the base with every rule's overrides. */
  settings(from: PeerId, to: PeerId, nowNs: Nanos): LinkSettings {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return this.pairFor(from, to).settings;
  }

  /** The id of the rule that cuts frames from → to, or null. */
  cutBy(from: PeerId, to: PeerId, nowNs: Nanos): string | null {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return this.pairFor(from, to).cut?.rule.id ?? null;
  }

  /** Puts a rule in force from now on; replaces the rule of the same id and counts anew. */
  add(rule: FaultRule, nowNs: Nanos): void {
    const untilNs = rule.for_ns === null ? null : nowNs + rule.for_ns;
    this.active.delete(rule.id);
    this.active.set(rule.id, new RuleState(rule, nowNs, untilNs));
    this.changed();
  }

  /** Takes a rule away; false when no rule has this id. */
  remove(id: string): boolean {
    const known = this.active.delete(id);
    if (known) this.changed();
    return known;
  }

  /** Ends faults; the ids of the rules that ended or no longer concern the pair. */
  heal(target: HealTarget): readonly string[] {
    if (target === 'all') return this.healWhere(() => true);
    if ('id' in target) return this.healWhere((state) => state.rule.id === target.id);
    return this.healPair(target.from, target.to);
  }

  /** The rules in force, oldest first. */
  rules(nowNs: Nanos): readonly ActiveRule[] {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return [...this.active.values()].map((state) => state.display());
  }

  /** The rules whose time has run out since the last call, with their final counters; for the log. */
  takeExpired(nowNs: Nanos): readonly ActiveRule[] {
    if (nowNs >= this.nextExpiryNs) this.expire(nowNs);
    return this.expired.splice(0);
  }

  /** When the next rule runs out; Infinity: none will. */
  get nextExpiry(): Nanos {
    return this.nextExpiryNs;
  }

  /** New latencies of the machine itself, from the next frame on. */
  setBase(base: (from: PeerId, to: PeerId) => LinkSettings): void {
    this.base = base;
    this.baseIsClear = false;
    this.changed();
  }

  private healWhere(ends: (state: RuleState) => boolean): readonly string[] {
    const ids = [...this.active.values()].filter(ends).map((state) => state.rule.id);
    for (const id of ids) this.active.delete(id);
    if (ids.length > 0) this.changed();
    return ids;
  }

  private healPair(a: PeerId, b: PeerId): readonly string[] {
    const ids: string[] = [];
    for (const state of this.active.values()) {
      const forth = state.concerns(a, b);
      const back = state.concerns(b, a);
      if (!forth && !back) continue;
      ids.push(state.rule.id);
      if (isExactly(state.rule, a, b)) this.active.delete(state.rule.id);
      if (forth) state.healed.add(pairKey(a, b));
      if (back) state.healed.add(pairKey(b, a));
    }
    if (ids.length > 0) this.changed();
    return ids;
  }

  private expire(nowNs: Nanos): void {
    for (const state of this.active.values()) {
      if (state.untilNs === null || state.untilNs > nowNs) continue;
      this.active.delete(state.rule.id);
      this.expired.push(state.display());
    }
    if (this.expired.length > MAX_EXPIRED) this.expired.splice(0, this.expired.length - MAX_EXPIRED);
    this.changed();
  }

  private changed(): void {
    this.version += 1;
    this.nextExpiryNs = Infinity;
    for (const { untilNs } of this.active.values()) {
      if (untilNs !== null && untilNs < this.nextExpiryNs) this.nextExpiryNs = untilNs;
    }
    // Frames may still be under way on a pair that was shaped, and nothing may overtake them.
    this.idle = this.baseIsClear && this.active.size === 0 && this.pairs.size === 0;
  }

  private pairFor(from: PeerId, to: PeerId): Pair {
    const key = pairKey(from, to);
    let pair = this.pairs.get(key);
    if (pair === undefined) {
      pair = new Pair();
      this.pairs.set(key, pair);
    }
    if (pair.version !== this.version) this.refresh(pair, from, to);
    return pair;
  }

  private refresh(pair: Pair, from: PeerId, to: PeerId): void {
    const concerning = [...this.active.values()].filter((state) => state.concerns(from, to));
    let settings = this.base(from, to);
    for (const { rule } of concerning) {
      if (rule.kind === 'link') settings = applyOverrides(settings, rule.settings);
    }
    pair.version = this.version;
    pair.cut = concerning.find((state) => state.rule.kind !== 'link') ?? null;
    pair.rules = concerning.filter((state) => state.rule.kind === 'link');
    if (pair.model === null && !isClear(settings)) {
      pair.model = new LinkModel(settings, this.prng.split(`link ${from}>${to}`));
    } else if (pair.model !== null && !sameSettings(settings, pair.settings)) {
      pair.model.update(settings);
    }
    pair.settings = settings;
  }
}

/** Rules that ran out and were not asked for; more than a plan file can hold is a caller that never asks. */
const MAX_EXPIRED = 1000;

class RuleState {
  readonly rule: FaultRule;
  readonly sinceNs: Nanos;
  readonly untilNs: Nanos | null;
  readonly healed = new Set<number>();
  readonly counters: RuleCounters = { frames: 0, dropped: 0, delayed: 0, duplicated: 0, reset: 0 };

  constructor(rule: FaultRule, sinceNs: Nanos, untilNs: Nanos | null) {
    this.rule = rule;
    this.sinceNs = sinceNs;
    this.untilNs = untilNs;
  }

  concerns(from: PeerId, to: PeerId): boolean {
    return ruleConcerns(this.rule, from, to) && !this.healed.has(pairKey(from, to));
  }

  display(): ActiveRule {
    const { rule, sinceNs, untilNs, counters } = this;
    return { rule, sinceNs, untilNs, healedPairs: this.healed.size, counters: { ...counters } };
  }
}

class Pair {
  version = 0;
  cut: RuleState | null = null;
  rules: readonly RuleState[] = [];
  settings: LinkSettings = CLEAR_LINK;
  model: LinkModel | null = null;
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

/** Peer ids stay below 2^21, so that a pair is one safe integer. */
function pairKey(from: PeerId, to: PeerId): number {
  return from * 0x200000 + to;
}

function isExactly(rule: FaultRule, a: PeerId, b: PeerId): boolean {
  if (rule.kind !== 'link' || rule.from === 'all' || rule.to === 'all') return false;
  if (rule.from.length !== 1 || rule.to.length !== 1) return false;
  return (rule.from[0] === a && rule.to[0] === b) || (rule.from[0] === b && rule.to[0] === a);
}

function sameSettings(a: LinkSettings, b: LinkSettings): boolean {
  return a === b || (Object.keys(a) as (keyof LinkSettings)[]).every((name) => a[name] === b[name]);
}

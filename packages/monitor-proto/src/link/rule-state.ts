import { isListOf, isRecord, isWhole } from '../guards.ts';
import type { Nanos, PeerId } from '../ids.ts';
import { checkFaultRule, type FaultRule } from './fault-rule.ts';
import { isExactlyPair, ruleConcerns } from './rule-scope.ts';

/** A rule's effect so far; zeros show a fault without effect. */
export interface RuleCounters {
  /** Frames that the rule affected. */
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
  /** Directed pairs exempted from the rule by `heal({ from, to })`. */
  readonly healedPairs: number;
  readonly counters: Readonly<RuleCounters>;
}

/** What to heal: everything, one rule by its id, or the link between two peers, both directions. */
export type HealTarget = 'all' | { readonly id: string } | { readonly from: PeerId; readonly to: PeerId };

/** A rule in force, for transfer: `for_ns` is its remaining time. */
export interface StandingRule {
  readonly rule: FaultRule;
  /** Directed pairs exempted from it. */
  readonly healed: readonly (readonly [from: PeerId, to: PeerId])[];
}

/** A rule in force: since when, until when, its exemptions, and its effect. */
export class RuleState {
  readonly rule: FaultRule;
  readonly untilNs: Nanos | null;
  readonly healed = new Set<number>();
  sinceNs: Nanos;
  counters: RuleCounters = { frames: 0, dropped: 0, delayed: 0, duplicated: 0, reset: 0 };
  /** Healed everywhere. */
  over = false;

  constructor(rule: FaultRule, nowNs: Nanos) {
    this.rule = rule;
    this.sinceNs = nowNs;
    this.untilNs = rule.for_ns === null ? null : nowNs + rule.for_ns;
  }

  concerns(from: PeerId, to: PeerId): boolean {
    return ruleConcerns(this.rule, from, to) && !this.healed.has(pairKey(from, to));
  }

  /** Ends the rule, or exempts a pair; false when the target does not concern it. */
  heal(target: HealTarget): boolean {
    if (target === 'all' || 'id' in target) {
      this.over = target === 'all' || target.id === this.rule.id;
      return this.over;
    }
    const { from: a, to: b } = target;
    const forth = this.concerns(a, b);
    const back = this.concerns(b, a);
    if (forth) this.healed.add(pairKey(a, b));
    if (back) this.healed.add(pairKey(b, a));
    this.over = (forth || back) && isExactlyPair(this.rule, a, b);
    return forth || back;
  }

  /** Whether both rules say the same of the same pairs; the remaining time may differ. */
  isLike(other: RuleState): boolean {
    const text = ({ rule, healed }: RuleState): string =>
      JSON.stringify([{ ...rule, for_ns: 0 }, [...healed].sort((a, b) => a - b)]);
    return text(this) === text(other);
  }

  goOnFrom({ sinceNs, counters }: RuleState): void {
    this.sinceNs = sinceNs;
    this.counters = counters;
  }

  standing(nowNs: Nanos): StandingRule {
    const rule = this.untilNs === null ? this.rule : { ...this.rule, for_ns: Math.max(1, this.untilNs - nowNs) };
    return { rule, healed: [...this.healed].map(pairOfKey) };
  }

  display(): ActiveRule {
    const { rule, sinceNs, untilNs, counters } = this;
    return { rule, sinceNs, untilNs, healedPairs: this.healed.size, counters: { ...counters } };
  }
}

/** Peer ids stay below 2^21, so that a pair is one safe integer. */
export function pairKey(from: PeerId, to: PeerId): number {
  return from * 0x200000 + to;
}

function pairOfKey(key: number): readonly [from: PeerId, to: PeerId] {
  return [Math.floor(key / 0x200000), key % 0x200000];
}

export function isHealTarget(value: unknown): value is HealTarget {
  if (value === 'all') return true;
  if (!isRecord(value)) return false;
  const { id, from, to } = value;
  return typeof id === 'string' || (Number.isSafeInteger(from) && Number.isSafeInteger(to));
}

/** Checks a rule that `standing` returned in another process; returns it, or one line that says what is wrong. */
export function checkStandingRule(value: unknown): StandingRule | string {
  if (!isRecord(value)) return 'a rule in force must be an object { rule, healed }';
  const { rule: given, healed } = value;
  const rule = checkFaultRule(given);
  if (typeof rule === 'string') return rule;
  return isListOf(healed, isPair) ? { rule, healed } : 'healed must be a list of pairs of peers';
}

function isPair(value: unknown): value is StandingRule['healed'][number] {
  return Array.isArray(value) && value.length === 2 && value.every((peer) => isWhole(peer, 0, 0x1fffff));
}

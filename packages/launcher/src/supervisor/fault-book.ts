import { concernsSender } from '../client/concerned.ts';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import type { HealTarget } from '@mk/monitor-proto/link/fault-engine';

/**
 * The fault rules that are in force on the cluster, so that a core that starts or wakes later gets them as well. Rules
 * run out by themselves on the cores; the book only stops handing them on.
 */
export class FaultBook {
  private readonly entries = new Map<
    string,
    { readonly rule: FaultRule; readonly untilMs: number; readonly missing: Set<number> }
  >();

  /** Notes a rule; a rule of the same id is replaced. `missing`: cores that could not be told. */
  add(rule: FaultRule, missing: Iterable<number>, nowMs: number): void {
    const untilMs = rule.for_ns === null ? Infinity : nowMs + rule.for_ns / 1e6;
    this.entries.delete(rule.id);
    this.entries.set(rule.id, { rule, untilMs, missing: new Set(missing) });
  }

  /**
   * Forgets what was healed. A pair healed out of a wider rule stays in the book: the rule is still in force elsewhere.
   */
  heal(target: HealTarget): void {
    if (target === 'all') this.entries.clear();
    else if ('id' in target) this.entries.delete(target.id);
    else
      for (const [id, { rule }] of this.entries)
        if (isExactlyPair(rule, target.from, target.to)) this.entries.delete(id);
  }

  /** The rules for a core that has none yet, with the time that they have left. */
  forNewCore(core: number, nowMs: number): FaultRule[] {
    return this.remaining(nowMs, ({ rule }) => concernsSender(rule, core));
  }

  /** The rules that this core missed while it could not be told; it counts as told from now on. */
  takeMissed(core: number, nowMs: number): FaultRule[] {
    return this.remaining(nowMs, ({ missing }) => missing.delete(core));
  }

  private remaining(
    nowMs: number,
    concerns: (entry: { readonly rule: FaultRule; readonly missing: Set<number> }) => boolean,
  ): FaultRule[] {
    for (const [id, { untilMs }] of this.entries) if (untilMs <= nowMs) this.entries.delete(id);
    return [...this.entries.values()]
      .filter(concerns)
      .map(({ rule, untilMs }) =>
        untilMs === Infinity ? rule : { ...rule, for_ns: Math.max(1, Math.round((untilMs - nowMs) * 1e6)) },
      );
  }
}

function isExactlyPair(rule: FaultRule, from: number, to: number): boolean {
  if (
    rule.kind !== 'link' ||
    rule.from === 'all' ||
    rule.to === 'all' ||
    rule.from.length !== 1 ||
    rule.to.length !== 1
  )
    return false;
  const [a, b] = [rule.from[0], rule.to[0]];
  return (a === from && b === to) || (a === to && b === from);
}

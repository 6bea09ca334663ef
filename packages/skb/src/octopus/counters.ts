/**
 * Numbers of sequential records, by name. They only rise (O4), yet a name without records does not keep its counter for
 * ever: the names that lost their last record most recently keep theirs, and all others share one floor, the highest
 * number that any of them reached. A name without a counter goes on above the floor, so that any old number of it, such
 * as a fencing token, is lower. Pure.
 */
import { known } from '@mk/monitor-proto/assert';
import type { OctopusChange } from './change.ts';

/** The floor's own name. No sequence has it: nobody may set a record with that prefix. */
export const FLOOR = 'counter:floor';

export class Counters {
  private readonly values = new Map<string, number>();
  /** Names without a record, those idle longest first. */
  private readonly idle = new Set<string>();
  private floor = 0;

  constructor(private readonly mostIdle: number) {}

  /** How many counters are kept. */
  get size(): number {
    return this.values.size;
  }

  /** The latest number; the next one is higher. */
  last(base: string): number {
    return this.values.get(base) ?? this.floor;
  }

  /** The latest number under this very name; 0 if none is remembered. */
  own(base: string): number {
    return this.values.get(base) ?? 0;
  }

  raise(base: string, value: number, changes: OctopusChange[]): void {
    this.values.set(base, value);
    this.idle.delete(base);
    changes.push({ type: 'counter', name: base, value });
  }

  /** The last record of the name is gone. */
  retire(base: string, changes: OctopusChange[]): void {
    if (this.values.has(base)) this.idle.add(base);
    if (this.idle.size <= this.mostIdle) return;
    const before = this.floor;
    for (const name of this.idle) {
      if (this.idle.size <= this.mostIdle) break;
      this.idle.delete(name);
      this.floor = Math.max(this.floor, known(this.values.get(name)));
      this.values.delete(name);
      changes.push({ type: 'counter_remove', name });
    }
    if (this.floor !== before) changes.push({ type: 'counter', name: FLOOR, value: this.floor });
  }

  /** Restores a counter from the journal. */
  load(change: Extract<OctopusChange, { type: 'counter' | 'counter_remove' }>): void {
    if (change.type === 'counter_remove') this.values.delete(change.name);
    else if (change.name === FLOOR) this.floor = change.value;
    else this.values.set(change.name, change.value);
  }

  /** After `load`: names without a record are idle. */
  loaded(hasRecords: (base: string) => boolean): void {
    for (const base of this.values.keys()) if (!hasRecords(base)) this.idle.add(base);
  }

  snapshot(): readonly OctopusChange[] {
    const counters = [...this.values].map(([name, value]) => ({ type: 'counter', name, value }) as const);
    return this.floor === 0 ? counters : [...counters, { type: 'counter', name: FLOOR, value: this.floor }];
  }
}

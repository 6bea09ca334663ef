/**
 * Tells watchers of a change, a turn's budget at a time: a change may concern ten thousand patterns. Watchers installed
 * after the change, or removed before their turn, are not told. Pure.
 */
import { Meter } from '@mk/monitor-proto/octopus/meter';
import { type Attributes, matchesSlowly, type ParsedRecord } from '@mk/monitor-proto/octopus/record';
import { type OctopusNotification, TRIGGER } from '@mk/monitor-proto/octopus/requests';
import { OCTOPUS_LIMITS } from './limits.ts';
import type { Watcher, WatcherTable } from './triggers.ts';

export interface AddressedNotification {
  readonly client: string;
  readonly notification: OctopusNotification;
}

/** A record that was set, deleted or published. */
export interface Change {
  readonly name: string;
  readonly attributes: Attributes;
  readonly text: string;
  /** ON_SET, ON_DEL or PUBLISH. */
  readonly event: number;
}

/** Steps to examine one watcher. */
const WATCHER_STEPS = 4;

export class Telling {
  private readonly watchers: Iterator<Watcher, void>;
  /** Steps that the patterns of each client have taken for this change. */
  private readonly steps = new Map<string, number>();

  constructor(
    private readonly table: WatcherTable,
    private readonly change: Change,
    serial: number,
  ) {
    this.watchers = table.candidates(change.name, serial);
  }

  /** True: everybody was told; false: the turn is over. */
  advance(meter: Meter, told: AddressedNotification[]): boolean {
    for (;;) {
      if (meter.full) return false;
      const next = this.watchers.next();
      if (next.done === true) return true;
      meter.steps += WATCHER_STEPS;
      this.tell(next.value, meter, told);
    }
  }

  private tell(watcher: Watcher, meter: Meter, told: AddressedNotification[]): void {
    const { event, name, attributes, text } = this.change;
    if ((watcher.mode & event) === 0) return;
    const spent = this.steps.get(watcher.client) ?? 0;
    if (spent >= OCTOPUS_LIMITS.watchSteps && hasPatterns(watcher.query)) return this.removeCostly(watcher, told);
    const own = new Meter(OCTOPUS_LIMITS.watchSteps - spent);
    const match = matchesSlowly(watcher.query, name, attributes, own).next();
    meter.steps += own.steps;
    this.steps.set(watcher.client, spent + own.steps);
    const costly = match.done !== true;
    const concerns = match.value === true;
    const once = (watcher.mode & (TRIGGER.PERSIST | TRIGGER.PUBLISH)) === 0;
    if (concerns) {
      if (once) this.table.remove(watcher);
      told.push(addressed(watcher, once ? event | TRIGGER.REMOVED : event, text));
    }
    if (costly) this.removeCostly(watcher, told);
  }

  private removeCostly(watcher: Watcher, told: AddressedNotification[]): void {
    this.table.remove(watcher);
    const { client, id } = watcher;
    const mode = (watcher.mode & TRIGGER.PUBLISH) | TRIGGER.REMOVED;
    told.push({ client, notification: { id, mode, record: null, error: 'QUERY_TOO_COSTLY' } });
  }
}

function hasPatterns({ name, constraints }: ParsedRecord): boolean {
  return name.kind === 'matches' || constraints.some(({ kind }) => kind === 'matches');
}

function addressed({ client, id }: Watcher, mode: number, record: string): AddressedNotification {
  return { client, notification: { id, mode, record } };
}

/*
 * Steps 2 to 4 of the mesh join, many monitors at a time. While a machine boots, its monitors are announced together:
 * each announcement costs every listening monitor a wake-up, and one by one they would cost a wake-up for each pair.
 * But at most a block at a time: a thousand monitors announced together would open half a million links in the same
 * moment.
 *
 *   R3  every pair of initialised monitors is introduced once: the earlier hears of the later, never both ways.
 */
import { type CoreId, type Incarnation, MILLISECOND, type Nanos } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { MonitorRow } from '@mk/monitor-proto/messages/fields';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Member } from './member.ts';

/** What introductions need of the registry. */
export interface Members {
  readonly members: ReadonlyMap<CoreId, Member>;
  readonly expected: number;
  tell(member: Member, message: Message): void;
}

/** While cores are missing, new monitors are announced after this long without arrivals. */
const QUIET: Nanos = 250 * MILLISECOND;
/** Monitors announced together, at most; the first block need not wait for the last monitor (decision 0069). */
export const BLOCK = 32;
/**
 * Pause between two blocks: longer than requests are collected, so that a block's links are requested before the next
 * one's.
 */
const BLOCK_PAUSE: Nanos = 20 * MILLISECOND;
/** How long bind requests of one announcement are collected: they come within a few milliseconds of one another. */
const COLLECT: Nanos = 10 * MILLISECOND;
/**
 * If they come over seconds, each collection takes twice as long as the one before: otherwise every new monitor would
 * be told of the others one by one.
 */
const COLLECT_MOST: Nanos = 320 * MILLISECOND;
/** Collections so far apart belong to different announcements. */
const COLLECT_QUIET: Nanos = 1000 * MILLISECOND;

export class Introductions {
  /** Initialised and not announced, in order of arrival. */
  private fresh: Member[] = [];
  /** Requests for the new monitors: new monitor → those that it must bind to. */
  private readonly requests = new Map<Member, Member[]>();
  /** Monitors that were told of new ones and have not asked for them yet. */
  private readonly owing = new Set<Member>();
  private collect: Nanos = COLLECT;
  private collecting: Timer | null = null;
  private requestedAt: Nanos = -Infinity;
  /** Whether somebody had still to ask at `requestedAt`. */
  private othersOwed = false;
  private quiet: Timer | null = null;
  /** Set from a full block until the next one. */
  private pause: Timer | null = null;

  constructor(
    private readonly registry: Members,
    private readonly timers: TimerQueue,
  ) {}

  /** Whether somebody waits to be introduced. */
  get pending(): boolean {
    return this.fresh.length > 0 || this.requests.size > 0;
  }

  /** Step 1: the monitor may be announced; at once, unless others are expected or a block's turn is not over. */
  initialised(member: Member, now: Nanos): void {
    this.fresh.push(member);
    this.timers.cancel(this.quiet);
    this.quiet = null;
    if (this.pause === null) this.next(now);
  }

  private next(now: Nanos): void {
    if (this.fresh.length === 0) return;
    if (this.fresh.length >= BLOCK || this.isComplete()) this.announce(now);
    else this.quiet = this.timers.set(now + QUIET, (at) => this.announce(at));
  }

  /** Step 3: these new monitors must bind to the asker. Replaced incarnations are left out (R3). */
  proxyBind(asker: Member, cores: readonly CoreId[], incarnations: readonly Incarnation[], now: Nanos): void {
    const begins = this.requests.size === 0;
    this.owing.delete(asker);
    for (const [i, core] of cores.entries()) {
      const fresh = this.registry.members.get(core);
      if (fresh === undefined || fresh.incarnation !== incarnations[i]) continue;
      const askers = this.requests.get(fresh);
      if (askers === undefined) this.requests.set(fresh, [asker]);
      else askers.push(asker);
    }
    if (begins && this.requests.size > 0) this.requestLater(now);
    // The last of a long collection: nobody else is expected.
    if (this.owing.size === 0 && this.collecting !== null && this.collect > COLLECT) this.request(now);
  }

  private isComplete(): boolean {
    let initialised = 0;
    for (const member of this.registry.members.values()) if (member.initialised) initialised += 1;
    return initialised >= this.registry.expected;
  }

  /** Step 2: all that were announced before hear of a block, and within a block each hears of the later ones. */
  private announce(now: Nanos): void {
    this.quiet = null;
    const fresh = this.fresh.filter((member) => this.isMember(member));
    const block = fresh.slice(0, BLOCK);
    this.fresh = fresh.slice(BLOCK);
    if (block.length === BLOCK) this.pause = this.timers.set(now + BLOCK_PAUSE, this.afterPause);
    const rows = block.map(rowOf);
    const place = new Map(block.map((member, i) => [member, i]));
    const later = new Set(this.fresh);
    // A full block comes before further expected ones.
    const more = later.size > 0 || (block.length === BLOCK && !this.isComplete());
    for (const member of this.owing) if (!this.isMember(member)) this.owing.delete(member);
    for (const member of this.registry.members.values()) {
      const monitors = rows.slice((place.get(member) ?? -1) + 1);
      if (!member.initialised || monitors.length === 0 || later.has(member)) continue;
      this.owing.add(member);
      this.registry.tell(member, { type: 'new_monitor_notify', monitors, more });
    }
  }

  private readonly afterPause = (now: Nanos): void => {
    this.pause = null;
    this.next(now);
  };

  private requestLater(now: Nanos): void {
    const goesOn = this.othersOwed && now - this.requestedAt < COLLECT_QUIET;
    this.collect = goesOn ? Math.min(2 * this.collect, COLLECT_MOST) : COLLECT;
    this.collecting = this.timers.set(now + this.collect, (at) => this.request(at));
  }

  /** Step 4: the new monitors are told whom to bind to. */
  private request(now: Nanos): void {
    this.timers.cancel(this.collecting);
    this.collecting = null;
    this.requestedAt = now;
    this.othersOwed = this.owing.size > 0;
    const more = this.fresh.length > 0;
    for (const [fresh, askers] of this.requests) {
      const monitors = askers.filter((asker) => this.isMember(asker)).map(rowOf);
      if (this.isMember(fresh) && monitors.length > 0)
        this.registry.tell(fresh, { type: 'bind_monitor_request', monitors, more });
    }
    this.requests.clear();
  }

  private isMember(member: Member): boolean {
    return this.registry.members.get(member.core) === member;
  }
}

function rowOf(member: Member): MonitorRow {
  return [member.core, member.incarnation, member.instance, member.address];
}

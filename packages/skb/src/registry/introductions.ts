import { type CoreId, type Incarnation, MILLISECOND, type Nanos } from '@mk/monitor-proto/ids';
import type { MonitorRow } from '@mk/monitor-proto/messages/fields';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Member } from './registry.ts';

/** From so many members on introductions are gathered; on smaller machines each goes out at once, as boot is the faster for it. */
const MANY_MEMBERS = 64;
/** So long: what a thousand cores save in messages is worth far more than a millisecond of each one's boot. */
const GATHER: Nanos = MILLISECOND;

/** What introductions need of the registry. */
export interface IntroductionsHost {
  readonly members: ReadonlyMap<CoreId, Member>;
  readonly timers: TimerQueue;
  tell(member: Member, message: Message): void;
}

/**
 * Steps 2 and 4 of the join: who is told of whom. One message a pair of monitors would be half a million each way for a
 * thousand cores, so on a large machine whoever comes within a millisecond is introduced together, in lists.
 */
export class Introductions {
  /** Initialised, not announced yet; in the order in which they came. */
  private fresh: Member[] = [];
  /** By new monitor: who waits for its link. */
  private asked = new Map<Member, Member[]>();
  private armed = false;

  constructor(private readonly host: IntroductionsHost) {}

  /** A monitor is initialised: everybody who was so before hears of it. */
  announce(member: Member, now: Nanos): void {
    this.fresh.push(member);
    this.soon(now);
  }

  /** `asker` wants `fresh` to bind to it. */
  request(fresh: Member, asker: Member, now: Nanos): void {
    const askers = this.asked.get(fresh);
    if (askers === undefined) this.asked.set(fresh, [asker]);
    else askers.push(asker);
    this.soon(now);
  }

  private soon(now: Nanos): void {
    if (this.host.members.size < MANY_MEMBERS) return this.introduce();
    if (this.armed) return;
    this.armed = true;
    this.host.timers.set(now + GATHER, () => {
      this.armed = false;
      this.introduce();
    });
  }

  private introduce(): void {
    const asked = this.asked;
    const fresh = this.fresh.filter((member) => this.isCurrent(member));
    this.asked = new Map();
    this.fresh = [];
    for (const [member, askers] of asked) {
      const monitors = askers.filter((asker) => this.isCurrent(asker)).map(rowOf);
      if (this.isCurrent(member) && monitors.length > 0) this.host.tell(member, { type: 'bind_monitor_request', monitors });
    }
    if (fresh.length > 0) this.announceAll(fresh);
  }

  /** Those announced before hear of all the new ones, the new ones of those that came after them (R3). */
  private announceAll(fresh: readonly Member[]): void {
    const monitors = fresh.map(rowOf);
    for (const member of this.host.members.values()) if (member.announced) this.host.tell(member, { type: 'new_monitor_notify', monitors });
    for (const [i, member] of fresh.entries()) {
      member.announced = true;
      const later = monitors.slice(i + 1);
      if (later.length > 0) this.host.tell(member, { type: 'new_monitor_notify', monitors: later });
    }
  }

  /** Who left or was replaced meanwhile is not introduced. */
  private isCurrent(member: Member): boolean {
    return this.host.members.get(member.core) === member;
  }
}

function rowOf({ core, incarnation, instance, address }: { readonly core: CoreId; readonly incarnation: Incarnation; readonly instance: string; readonly address: string }): MonitorRow {
  return [core, incarnation, instance, address];
}

import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Member, View, ViewSettings } from './view.ts';

/** A request to join that is not repeated for so many beacon intervals lapses. */
const KEPT_INTERVALS = 2.5;
const PAUSE_UNIT: Nanos = 500_000_000;
/** A core that was dropped repeatedly waits at most so many units longer than the others. */
const MOST_PAUSE_INTERVALS = 64;

interface Newcomer {
  readonly member: Member;
  hears: readonly CoreId[];
  readonly since: Nanos;
  at: Nanos;
}

/** The cores that ask this member to be taken in, and are heard here. */
export class Newcomers {
  private readonly known = new Map<CoreId, Newcomer>();

  constructor(private readonly settings: ViewSettings) {}

  /** Notes a core's request; true: it did not ask recently. */
  asked(member: Member, hears: readonly CoreId[], now: Nanos): boolean {
    const known = this.known.get(member.core);
    if (known !== undefined && known.member.incarnation > member.incarnation) return false;
    if (known?.member.incarnation === member.incarnation && this.isFresh(known, now)) {
      known.hears = hears;
      known.at = now;
      return false;
    }
    this.known.set(member.core, { member, hears, since: now, at: now });
    return true;
  }

  /** Members of the view no longer ask. */
  install({ members }: View): void {
    for (const { core, incarnation } of members)
      if ((this.known.get(core)?.member.incarnation ?? Infinity) <= incarnation) this.known.delete(core);
  }

  heard(now: Nanos): CoreId[] {
    return [...this.known.values()].filter((one) => this.isFresh(one, now)).map(({ member }) => member.core);
  }

  /**
   * The newcomers that the next view may take in: those that hear all of `needed` and are heard by them, for longer the
   * more often they were dropped lately, so that a flapping link does not make a view every second.
   */
  ready(
    needed: (core: CoreId) => readonly CoreId[],
    heardBy: (by: CoreId, core: CoreId) => boolean,
    history: readonly View[],
    now: Nanos,
  ): Member[] {
    return [...this.known.values()]
      .filter((one) => this.isFresh(one, now) && now - one.since >= this.pauseOf(one.member.core, history))
      .filter(({ member: { core }, hears }) =>
        needed(core).every((other) => hears.includes(other) && heardBy(other, core)),
      )
      .map(({ member }) => member);
  }

  private isFresh({ at }: Newcomer, now: Nanos): boolean {
    return now - at <= KEPT_INTERVALS * this.settings.beaconNs;
  }

  private pauseOf(core: CoreId, history: readonly View[]): Nanos {
    let drops = 0;
    history.forEach(({ members }, i) => {
      const wasIn = history[i - 1]?.members.some((member) => member.core === core) ?? false;
      if (wasIn && !members.some((member) => member.core === core)) drops += 1;
    });
    const unit = Math.min(this.settings.beaconNs, PAUSE_UNIT);
    return drops < 2 ? 0 : unit * Math.min(2 ** (drops - 1), MOST_PAUSE_INTERVALS);
  }
}

/**
 * Excludes members from the view for proven offences. A member that has proof against another accuses it; one that
 * hears enough accusers treats the link to the accused as broken: it stops listening, suspects it, and gives it no
 * lease. That is the same as a cut link, so V1 to V4 need no new argument; but nobody waits for the end of its lease,
 * which it may not respect. An accused leader is missed like a silent one.
 *
 *   QV1  no member is excluded on the word of less than a majority of the others, nor of one alone;
 *   QV2  members are excluded one after another, and none whom the view cannot spare;
 *   QV3  no member that keeps to the protocol is excluded, whatever fails, as long as fewer members misbehave than QV1
 *        demands: no honest monitor commits a provable offence, even when deceived or cut off.
 */
import type { CoreId, Incarnation } from '@mk/monitor-proto/ids';
import type { ViewMessage } from './messages.ts';
import { isMember, majorityOf, type Member, memberIn, type View } from './view.ts';

export interface Accusation {
  readonly core: CoreId;
  readonly incarnation: Incarnation;
  readonly by: ReadonlySet<CoreId>;
}

const NOBODY: ReadonlySet<CoreId> = new Set();

/** How many accusers exclude a member from a view of so many: a majority of the others, and at least two. */
export function accusersNeeded(members: number): number {
  return Math.max(2, majorityOf(members - 1));
}

export class Quarantine {
  private view: View | null = null;
  /** By accused core. */
  private readonly accused = new Map<CoreId, { readonly incarnation: Incarnation; readonly by: Set<CoreId> }>();
  private putOut: ReadonlySet<CoreId> = NOBODY;

  constructor(
    private readonly self: CoreId,
    private readonly send: (core: CoreId, message: ViewMessage) => void,
    /** Enough members accuse one, for the first time in this view. */
    private readonly decided: (accusation: Accusation) => void,
  ) {}

  /** In a new view, accusations of cores that are not in it, or are new in it, lapse. */
  install(view: View): void {
    const before = this.view;
    this.view = view;
    for (const [core, { incarnation, by }] of this.accused) {
      for (const accuser of by)
        if (before !== null && memberIn(view, accuser)?.incarnation !== memberIn(before, accuser)?.incarnation)
          by.delete(accuser);
      if (by.size === 0 || !isMember(view, { core, incarnation })) this.accused.delete(core);
    }
    this.decide();
  }

  /** Whether this core no longer listens to a core. */
  isOut(core: CoreId): boolean {
    return this.putOut.has(core);
  }

  get out(): readonly CoreId[] {
    return [...this.putOut];
  }

  get accusations(): readonly Accusation[] {
    return [...this.accused].map(([core, { incarnation, by }]) => ({ core, incarnation, by }));
  }

  /** Notes that a member, perhaps this core itself, accuses others; true: that is news. */
  accuse(by: CoreId, members: readonly Member[]): boolean {
    const view = this.view;
    if (view === null) return false;
    let isNew = false;
    for (const { core, incarnation } of members) {
      if (core === by || core === this.self || !isMember(view, { core, incarnation })) continue;
      const known = this.accused.get(core);
      if (known?.by.has(by) === true) continue;
      isNew = true;
      if (known === undefined) this.accused.set(core, { incarnation, by: new Set([by]) });
      else known.by.add(by);
    }
    if (isNew) this.decide();
    return isNew;
  }

  /**
   * Repeats this core's accusations: to the leader; to everybody if the leader is accused, since nobody else would hear
   * of it.
   */
  say(leader: CoreId | null): void {
    const view = this.view;
    const own = this.accusations.filter(({ by }) => by.has(this.self));
    if (view === null || own.length === 0) return;
    const leads = leader === null || own.some(({ core }) => core === leader);
    const accused = own.map(({ core, incarnation }) => ({ core, incarnation }));
    for (const { core } of leads ? view.members : [{ core: leader }])
      if (core !== this.self) this.send(core, { type: 'view_accuse', view: view.number, accused });
  }

  private decide(): void {
    if (this.view === null || this.accused.size === 0) {
      this.putOut = NOBODY;
      return;
    }
    const { members } = this.view;
    const spared = Math.min(1, members.length - majorityOf(members.length));
    const guilty = this.accusations
      .filter(({ by }) => by.size >= accusersNeeded(members.length))
      .sort((a, b) => b.by.size - a.by.size || a.core - b.core)
      .slice(0, spared);
    const before = this.putOut;
    this.putOut = new Set(guilty.map(({ core }) => core));
    for (const one of guilty) if (!before.has(one.core)) this.decided(one);
  }
}

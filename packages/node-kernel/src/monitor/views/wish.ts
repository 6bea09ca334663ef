import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { ViewMessage } from './messages.ts';
import { type Member, neighboursOf, type ViewSettings } from './view.ts';

/** After so many tries a core asks others too: none of those it asked may be in the view. */
const FEW_TRIES = 3;
/** Most doublings of the number of others asked, which reaches everybody. */
const MOST_DOUBLINGS = 12;

/** A core's wish to be taken into a view: the cores that it asks, and those that have answered. */
export class Wish {
  private readonly heardAt = new Map<CoreId, Nanos>();
  private leader: CoreId | null = null;
  private said = 0;
  /** How often more were asked, and when the next ones are though the last have not answered. */
  private widened = 0;
  private widenAt: Nanos = 0;

  constructor(
    private readonly self: Member,
    private readonly contacts: () => readonly CoreId[],
    private readonly send: (core: CoreId, message: ViewMessage) => void,
    private readonly settings: ViewSettings,
  ) {}

  /** Asks the relevant cores, and says whom it has heard lately. */
  say(now: Nanos): void {
    const since = now - 2.5 * this.settings.beaconNs;
    const hears = [...this.heardAt].filter(([, at]) => at >= since).map(([core]) => core);
    this.said += 1;
    // On a slow machine answers are late: to ask more cores meanwhile opens links that nobody needs, and slows it more.
    if (now >= this.widenAt || this.asked().every((core) => this.heardAt.has(core))) {
      this.widened += 1;
      this.widenAt = now + this.settings.beaconNs / 2;
    }
    for (const core of this.asked()) this.send(core, { type: 'view_join', member: this.self, hears });
  }

  /**
   * A core has answered and named its leader; true: it was the last of all asked, or the leader is new to this core.
   */
  heardBy(core: CoreId, leader: CoreId | null, now: Nanos): boolean {
    const before = this.heardAt.size;
    this.heardAt.set(core, now);
    const news = leader !== null && leader !== this.leader && !this.heardAt.has(leader);
    this.leader = leader ?? this.leader;
    return news || (this.heardAt.size > before && this.asked().every((other) => this.heardAt.has(other)));
  }

  /**
   * Asks its neighbours in the ring of cores and the leader, who decide. If these do not take it in, it asks others
   * too: twice as many at each try until it asks everybody, but one per try while nobody in a view has answered, since
   * on a slowly booting machine there may be no view yet. Asking everybody at once would open every link of a large
   * machine.
   */
  private asked(): readonly CoreId[] {
    const contacts = this.contacts();
    if (contacts.length === 0) return contacts;
    const leader = this.leader ?? Math.min(...contacts);
    const deciding = neighboursOf(contacts, this.self.core, leader, this.settings.observers);
    return [...new Set([...deciding, ...this.others(contacts)])].filter((core) => contacts.includes(core));
  }

  private others(contacts: readonly CoreId[]): readonly CoreId[] {
    if (this.leader === null) return this.said > FEW_TRIES ? [known(contacts[this.said % contacts.length])] : [];
    const tries = this.widened - FEW_TRIES;
    if (tries <= 0) return [];
    return contacts.slice(0, 2 ** Math.min(tries + 2, MOST_DOUBLINGS));
  }
}

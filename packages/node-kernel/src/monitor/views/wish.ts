import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { ViewMessage } from './messages.ts';
import { type Member, neighboursOf, type ViewSettings } from './view.ts';

/** A core that was not taken in after so many tries asks others as well: the view may have none of those that it asked. */
const FEW_TRIES = 3;

/** Of a core that is in no view: that it wants to be taken in, whom it asks, and who has answered. */
export class Wish {
  readonly #heardBy = new Map<CoreId, Nanos>();
  #leader: CoreId | null = null;
  #said = 0;

  constructor(
    private readonly self: Member,
    private readonly contacts: () => readonly CoreId[],
    private readonly send: (core: CoreId, message: ViewMessage) => void,
    private readonly settings: ViewSettings,
  ) {}

  /** Asks those who matter, and says whom it has heard lately. */
  say(now: Nanos): void {
    const since = now - 2.5 * this.settings.beaconNs;
    const hears = [...this.#heardBy].filter(([, at]) => at >= since).map(([core]) => core);
    this.#said += 1;
    for (const core of this.#asked()) this.send(core, { type: 'view_join', member: this.self, hears });
  }

  /** Somebody has answered and named its leader; true: the last of all that it asks, or a leader that it did not know. */
  heardBy(core: CoreId, leader: CoreId | null, now: Nanos): boolean {
    const before = this.#heardBy.size;
    this.#heardBy.set(core, now);
    const news = leader !== null && leader !== this.#leader && !this.#heardBy.has(leader);
    this.#leader = leader ?? this.#leader;
    return news || (this.#heardBy.size > before && this.#asked().every((other) => this.#heardBy.has(other)));
  }

  /**
   * Its neighbours in the ring of cores, and the leader: they decide. When these do not take it in, everybody, where somebody in
   * a view has answered; where nobody has there may be no view yet, on a machine that boots slowly, and asking everybody would
   * open every link: one more a try.
   */
  #asked(): readonly CoreId[] {
    const contacts = this.contacts();
    if (contacts.length === 0 || (this.#said > FEW_TRIES && this.#leader !== null)) return contacts;
    const leader = this.#leader ?? Math.min(...contacts);
    const deciding = neighboursOf(contacts, this.self.core, leader, this.settings.observers);
    const another = this.#said > FEW_TRIES ? [known(contacts[this.#said % contacts.length])] : [];
    return [...new Set([...deciding, ...another])].filter((core) => contacts.includes(core));
  }
}

import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { ViewMessage } from './messages.ts';
import type { Member, ViewSettings } from './view.ts';

/** Of a core that is in no view: that it wants to be taken in, whom it asks, and who has answered. */
export class Wish {
  readonly #heardBy = new Map<CoreId, Nanos>();

  constructor(
    private readonly self: Member,
    private readonly contacts: () => readonly CoreId[],
    private readonly send: (core: CoreId, message: ViewMessage) => void,
    private readonly settings: ViewSettings,
  ) {}

  /** Asks everybody, and says whom it has heard lately. */
  say(now: Nanos): void {
    const since = now - 2.5 * this.settings.beaconNs;
    const hears = [...this.#heardBy].filter(([, at]) => at >= since).map(([core]) => core);
    for (const core of this.contacts()) this.send(core, { type: 'view_join', member: this.self, hears });
  }

  /** Somebody has answered; true: the last of all that it asks. */
  heardBy(core: CoreId, now: Nanos): boolean {
    const before = this.#heardBy.size;
    this.#heardBy.set(core, now);
    return this.#heardBy.size > before && this.contacts().every((other) => this.#heardBy.has(other));
  }
}

import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { type ViewSettings, observedBy, type View } from './view.ts';

/** Silence of so many beacon intervals makes a link suspect. */
const SILENT_INTERVALS = 2.5;
/** A core that stood still for so long had no chance to hear anybody. */
const STANDSTILL_INTERVALS = 1.5;

/** Which of the links that should be heard do not work, as far as this core can tell. */
export class LinkWatch {
  private readonly heardAt = new Map<CoreId, Nanos>();
  private expected: readonly CoreId[] = [];
  private ranAt: Nanos | null = null;

  constructor(private readonly settings: ViewSettings) {}

  /** A new view: everybody expected counts as just heard. */
  install(view: View, self: CoreId, now: Nanos): void {
    this.expected = observedBy(view, self, this.settings.observers);
    for (const core of this.heardAt.keys()) if (!this.expected.includes(core)) this.heardAt.delete(core);
    for (const core of this.expected) this.heardAt.set(core, now);
  }

  heard(core: CoreId, now: Nanos): void {
    if (this.expected.includes(core)) this.heardAt.set(core, now);
  }

  /** This core runs. If it stood still until now, the silence was its own. */
  ran(now: Nanos): void {
    const stood = this.ranAt !== null && now - this.ranAt > STANDSTILL_INTERVALS * this.settings.beaconNs;
    this.ranAt = now;
    if (stood) for (const core of this.expected) this.heardAt.set(core, now);
  }

  suspects(now: Nanos): CoreId[] {
    const since = now - SILENT_INTERVALS * this.settings.beaconNs;
    return this.expected.filter((core) => known(this.heardAt.get(core)) < since);
  }
}

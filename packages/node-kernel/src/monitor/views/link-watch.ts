import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { type ViewSettings, observedBy, observersOf, type View } from './view.ts';
import type { ViewPort } from './view-port.ts';

/** Beacon intervals of silence that make a link suspect. */
const SILENT_INTERVALS = 2.5;
/**
 * Beacon intervals of silence after which a core asks for a probe, repeated until it comes: a sign or two may have been
 * lost.
 */
const ASK_INTERVALS = 1.5;
/** Beacon intervals of standstill after which a core had no chance to hear anybody. */
const STANDSTILL_INTERVALS = 1.5;

/**
 * Sends a member's signs of life to its observers, once an interval, and tells which of the links that it should hear
 * do not work.
 */
export class LinkWatch {
  private readonly heardAt = new Map<CoreId, Nanos>();
  private observers: readonly CoreId[] = [];
  private expected: readonly CoreId[] = [];
  private ranAt: Nanos | null = null;

  constructor(
    private readonly settings: ViewSettings,
    private readonly port: Pick<ViewPort, 'send' | 'sign' | 'heardAt'>,
  ) {}

  /** A new view: every expected member counts as just heard. */
  install(view: View, self: CoreId, now: Nanos): void {
    this.observers = observersOf(view, self, this.settings.observers);
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

  /** Ends an interval. */
  probe(view: number, now: Nanos): void {
    for (const core of this.observers) this.port.sign(core, view);
    for (const core of this.silentFor(ASK_INTERVALS, now)) this.port.send(core, { type: 'view_probe_request', view });
  }

  suspects(now: Nanos): CoreId[] {
    return this.silentFor(SILENT_INTERVALS, now);
  }

  private silentFor(intervals: number, now: Nanos): CoreId[] {
    const since = now - intervals * this.settings.beaconNs;
    return this.expected.filter((core) => Math.max(known(this.heardAt.get(core)), this.port.heardAt(core)) < since);
  }
}

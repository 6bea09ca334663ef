import { type CoreId, type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import { roundTripMoved } from '@mk/monitor-proto/knowledge/round-trip-moved';
import { limit } from '@mk/monitor-proto/limits';
import type { MonitorContext } from '../context.ts';
import type { Rally } from './rally.ts';

const TRIPS = limit('measurePings');

/**
 * Reports to the SKB when the round trip to a peer has changed by more than the re-plan ratio. Measured as for the SKB,
 * or the two would differ.
 */
export class Drift {
  /** The shortest round trips that the SKB knows, by core. */
  private readonly told = new Map<CoreId, Nanos>();
  /** Cores being measured; true: something happened meanwhile, so measure again. */
  private readonly looking = new Map<CoreId, boolean>();

  constructor(
    private readonly context: MonitorContext,
    private readonly rally: Rally,
  ) {}

  /** Notes a round trip that the SKB has learnt from a measurement that it requested. */
  note(core: CoreId, shortest: Nanos): void {
    this.told.set(core, shortest);
  }

  /** The SKB may know a different value by now: the next measurement is reported whatever it shows. */
  forget(core: CoreId): void {
    this.told.delete(core);
  }

  /** The links to these cores may have changed: measures them, and reports those that have. */
  look(cores: readonly CoreId[], now: Nanos): void {
    for (const core of cores) {
      if (!this.context.monitors.has(core)) continue;
      if (this.looking.has(core)) this.looking.set(core, true);
      else this.lookAt(core, now);
    }
  }

  private lookAt(core: CoreId, now: Nanos): void {
    this.looking.set(core, false);
    this.rally.play(core, TRIPS, now, (rallied, at) => {
      const again = this.looking.get(core) === true;
      this.looking.delete(core);
      if (rallied !== null) this.report(core, rallied.there.min);
      if (again && this.context.monitors.has(core)) this.lookAt(core, at);
    });
  }

  private report(core: CoreId, shortest: Nanos): void {
    const known = this.told.get(core);
    if (known !== undefined && !roundTripMoved(known, shortest)) return;
    const refused = this.context.send(SKB_PEER, { type: 'link_changed', core, average: shortest });
    if (refused === null) this.told.set(core, shortest);
  }
}

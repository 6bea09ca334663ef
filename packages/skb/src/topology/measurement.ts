import { type CoreId, MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Registry } from '../registry/registry.ts';
import { type MeasuringTask, measuringTasks } from './measuring-tasks.ts';
import { type RoundTrip, RoundTrips } from './round-trips.ts';

/** A core that has not reported by then is passed over. */
const PATIENCE: Nanos = 15 * SECOND;

/** Past so many cores a pair is measured from one end only, and by fewer round trips: one pair matters less among so many. */
const MANY_CORES = 32;
const TRIPS_OF_MANY = 2;
/** A round trip keeps CPUs busy for some 150 µs: one core measures with so many others at once that its CPU does not idle. */
const ROUND_TRIP_PER_RALLY: Nanos = 0.25 * MILLISECOND;
/** And links of a millisecond leave room for another core's measuring. */
const ROUND_TRIP_PER_CORE: Nanos = 2 * MILLISECOND;
const CORES_PER_MEASURER = 16;

/**
 * Has the cores measure their round trips: one core at a time and with one other at a time, so that nobody measures
 * somebody else's queue; more at a time where links take so long that the CPUs would idle.
 */
export class Measurement {
  readonly trips = new RoundTrips();
  /** Of the measurement under way or the last one. */
  private fresh = new RoundTrips();
  private queue: MeasuringTask[] = [];
  private readonly measuring = new Map<CoreId, { readonly batch: number; readonly timer: Timer }>();
  private batch = 0;
  private startedAt: Nanos = 0;
  private waiting: ((now: Nanos) => void)[] = [];

  constructor(
    private readonly registry: Registry,
    private readonly timers: TimerQueue,
    private readonly sink: EffectSink,
    private readonly finished: (now: Nanos) => void,
    /** One way, as the machine's description has it. */
    private readonly latencyNs: (from: CoreId, to: CoreId) => Nanos,
  ) {}

  get running(): boolean {
    return this.measuring.size > 0;
  }

  /** Measures from all cores to all cores; a measurement under way begins anew. */
  start(now: Nanos, then?: (now: Nanos) => void): void {
    if (then !== undefined) this.waiting.push(then);
    this.fresh = new RoundTrips();
    this.queue = measuringTasks([...this.registry.members.keys()], !this.manyCores);
    this.startedAt = now;
    this.fill(now);
  }

  report(core: CoreId, report: MessageOf<'measure_report'>, now: Nanos): void {
    const { from, to, averages, variances, minima, maxima } = report;
    for (let i = 0; i < from.length; i++) {
      // Of other pairs a core knows nothing.
      if (from[i] !== core && to[i] !== core) continue;
      const [average = 0, variance = 0, min = 0, max = 0] = [averages[i], variances[i], minima[i], maxima[i]];
      this.note(from[i]!, to[i]!, { average, variance, min, max });
    }
    const running = this.measuring.get(core);
    if (running === undefined || running.batch !== report.batch) return;
    this.timers.cancel(running.timer);
    this.measuring.delete(core);
    this.fill(now);
  }

  /** Of a pair that is measured from both ends the better measurement counts: the other met somebody else's turn on a CPU. */
  private note(from: CoreId, to: CoreId, trip: RoundTrip): void {
    const known = this.fresh.get(from, to);
    if (known !== undefined && known.min <= trip.min) return;
    this.fresh.set(from, to, trip);
    this.trips.set(from, to, trip);
  }

  private get manyCores(): boolean {
    return this.registry.members.size > MANY_CORES;
  }

  /** A round trip as the machine's description has it, from some core to the others. */
  private get describedRoundTrip(): Nanos {
    const [first, ...others] = this.registry.members.keys();
    if (first === undefined || others.length === 0) return 0;
    return (2 * others.reduce((sum, other) => sum + this.latencyNs(first, other), 0)) / others.length;
  }

  /** How many cores may measure at once. */
  private get coresAtOnce(): number {
    const most = Math.floor(this.registry.members.size / CORES_PER_MEASURER);
    return Math.max(1, Math.min(Math.round(this.describedRoundTrip / ROUND_TRIP_PER_CORE), most));
  }

  /** With how many others each of them measures at once. */
  private get ralliesAtOnce(): number {
    return Math.max(
      1,
      Math.min(Math.round(this.describedRoundTrip / ROUND_TRIP_PER_RALLY), limit('measureConcurrency')),
    );
  }

  private fill(now: Nanos): void {
    const { coresAtOnce } = this;
    while (this.measuring.size < coresAtOnce) {
      // One that still measures for an earlier start is asked again when its report has come.
      const place = this.queue.findIndex(({ core }) => !this.measuring.has(core));
      if (place < 0) break;
      this.begin(this.queue.splice(place, 1)[0]!, now);
    }
    if (this.measuring.size === 0 && this.queue.length === 0) this.done(now);
  }

  private begin({ core, others }: MeasuringTask, now: Nanos): void {
    const { members } = this.registry;
    const member = members.get(core);
    const cores = others.filter((other) => members.has(other));
    if (member === undefined || cores.length === 0) return;
    const batch = ++this.batch;
    const timer = this.timers.set(now + PATIENCE, (at) => {
      this.measuring.delete(core);
      this.fill(at);
    });
    this.measuring.set(core, { batch, timer });
    const pings = this.manyCores ? TRIPS_OF_MANY : limit('measurePings');
    this.registry.tell(member, { type: 'measure_request', batch, cores, pings, at_once: this.ralliesAtOnce });
  }

  private done(now: Nanos): void {
    const cores = this.registry.members.size;
    const pairs = [...this.trips.entries()].length;
    this.sink.log('measured', { cores, pairs, elapsed_ms: (now - this.startedAt) / 1e6 });
    this.finished(now);
    const { waiting } = this;
    this.waiting = [];
    for (const then of waiting) then(now);
  }
}

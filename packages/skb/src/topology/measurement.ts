import { type CoreId, MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Registry } from '../registry/registry.ts';
import { RoundTrips } from './round-trips.ts';

/** A core that has not reported by then is passed over. */
const PATIENCE: Nanos = 15 * SECOND;

/** Past so many cores each pair is pinged less often: the shortest of three is as good as its neighbours'. */
const MANY_CORES = 32;
const PINGS_OF_MANY = 3;
/** A ping keeps CPUs busy for some 150 µs, so that links of a millisecond leave room for another core's pings. */
const ROUND_TRIP_PER_CORE: Nanos = 2 * MILLISECOND;
const CORES_PER_MEASURER = 16;

/**
 * Has the cores measure their round trips: one core at a time, so that nobody measures somebody else's queue; a few at
 * a time on a large machine whose links take so long that the CPUs would idle.
 */
export class Measurement {
  readonly trips = new RoundTrips();
  private queue: CoreId[] = [];
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
    this.queue = [...this.registry.members.keys()].sort((a, b) => a - b);
    this.startedAt = now;
    this.fill(now);
  }

  report(core: CoreId, report: MessageOf<'measure_report'>, now: Nanos): void {
    const { cores, averages, variances, minima, maxima } = report;
    for (const [i, to] of cores.entries()) {
      const [average = 0, variance = 0, min = 0, max = 0] = [averages[i], variances[i], minima[i], maxima[i]];
      this.trips.set(core, to, { average, variance, min, max });
    }
    const running = this.measuring.get(core);
    if (running === undefined || running.batch !== report.batch) return;
    this.timers.cancel(running.timer);
    this.measuring.delete(core);
    this.fill(now);
  }

  /** How many cores may measure at once. */
  private get atOnce(): number {
    const [first, ...others] = this.registry.members.keys();
    if (first === undefined || others.length === 0) return 1;
    const mean = others.reduce((sum, other) => sum + this.latencyNs(first, other), 0) / others.length;
    const mostOfThem = Math.floor((others.length + 1) / CORES_PER_MEASURER);
    return Math.max(1, Math.min(Math.round((2 * mean) / ROUND_TRIP_PER_CORE), mostOfThem));
  }

  private fill(now: Nanos): void {
    const { atOnce } = this;
    while (this.measuring.size < atOnce) {
      // One that still measures for an earlier start is asked again when its report has come.
      const place = this.queue.findIndex((core) => !this.measuring.has(core));
      if (place < 0) break;
      this.begin(this.queue.splice(place, 1)[0]!, now);
    }
    if (this.measuring.size === 0 && this.queue.length === 0) this.done(now);
  }

  private begin(core: CoreId, now: Nanos): void {
    const member = this.registry.members.get(core);
    if (member === undefined) return;
    const batch = ++this.batch;
    const timer = this.timers.set(now + PATIENCE, (at) => {
      this.measuring.delete(core);
      this.fill(at);
    });
    this.measuring.set(core, { batch, timer });
    const cores = [...this.registry.members.keys()].filter((other) => other !== core);
    const pings = cores.length < MANY_CORES ? limit('measurePings') : PINGS_OF_MANY;
    this.registry.tell(member, { type: 'measure_request', batch, cores, pings });
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

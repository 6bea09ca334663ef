import { type CoreId, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Registry } from '../registry/registry.ts';
import { RoundTrips } from './round-trips.ts';

/** A core that has not reported by then is passed over. */
const PATIENCE: Nanos = 15 * SECOND;

/** Has the cores measure their round trips, one core at a time, so that nobody measures somebody else's queue. */
export class Measurement {
  readonly trips = new RoundTrips();
  private queue: CoreId[] = [];
  private measuring: { readonly core: CoreId; readonly batch: number; readonly timer: Timer } | null = null;
  private batch = 0;
  private startedAt: Nanos = 0;
  private waiting: ((now: Nanos) => void)[] = [];

  constructor(
    private readonly registry: Registry,
    private readonly timers: TimerQueue,
    private readonly sink: EffectSink,
    private readonly finished: (now: Nanos) => void,
  ) {}

  get running(): boolean {
    return this.measuring !== null;
  }

  /** Measures from all cores to all cores; a measurement under way begins anew. */
  start(now: Nanos, then?: (now: Nanos) => void): void {
    if (then !== undefined) this.waiting.push(then);
    this.queue = [...this.registry.members.keys()].sort((a, b) => a - b);
    this.startedAt = now;
    if (this.measuring === null) this.next(now);
  }

  report(core: CoreId, report: MessageOf<'measure_report'>, now: Nanos): void {
    const { cores, averages, variances, minima, maxima } = report;
    for (const [i, to] of cores.entries()) {
      this.trips.set(core, to, { average: averages[i] ?? 0, variance: variances[i] ?? 0, min: minima[i] ?? 0, max: maxima[i] ?? 0 });
    }
    if (this.measuring === null || this.measuring.core !== core || this.measuring.batch !== report.batch) return;
    this.timers.cancel(this.measuring.timer);
    this.measuring = null;
    this.next(now);
  }

  private next(now: Nanos): void {
    const core = this.queue.shift();
    if (core === undefined) return this.done(now);
    const member = this.registry.members.get(core);
    if (member === undefined) return this.next(now);
    const batch = ++this.batch;
    const timer = this.timers.set(now + PATIENCE, (at) => {
      this.measuring = null;
      this.next(at);
    });
    this.measuring = { core, batch, timer };
    const cores = [...this.registry.members.keys()].filter((other) => other !== core);
    this.registry.tell(member, { type: 'measure_request', batch, cores, pings: limit('measurePings') });
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

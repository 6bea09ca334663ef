import { type CoreId, type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from './context.ts';
import type { Drift } from './drift.ts';
import type { Operation } from './operations.ts';
import type { Ping } from './ping.ts';
import { RunningStatistics } from './statistics.ts';

const NO_PAYLOAD = new Uint8Array();
const CONCURRENCY = limit('measureConcurrency');

/** Measures round trips when the SKB asks: a few pings to each of the named cores, and one report. */
export class Measure {
  constructor(
    private readonly context: MonitorContext,
    private readonly ping: Ping,
    private readonly drift: Drift,
  ) {}

  onRequest(request: MessageOf<'measure_request'>, now: Nanos): void {
    const results = new Map<CoreId, RunningStatistics>();
    const queue = request.cores.filter((core) => core !== this.context.core);
    let lanes = Math.min(CONCURRENCY, queue.length);
    if (lanes === 0) return this.report(request, results);
    const next = (at: Nanos): void => {
      const core = queue.shift();
      if (core === undefined) {
        lanes -= 1;
        if (lanes === 0) this.report(request, results);
        return;
      }
      const operation = this.measureOne(core, request.pings);
      this.context.operations.start(this.context.operations.nextId(), operation, at, (outcome, later) => {
        if (outcome.ok) results.set(core, outcome.value);
        next(later);
      });
    };
    for (let i = lanes; i > 0; i--) next(now);
  }

  private *measureOne(core: CoreId, pings: number): Operation<RunningStatistics> {
    const statistics = new RunningStatistics();
    yield* this.ping.once(core, NO_PAYLOAD); // warms the path
    for (let i = 0; i < pings; i++) statistics.add(yield* this.ping.once(core, NO_PAYLOAD));
    return statistics;
  }

  private report(request: MessageOf<'measure_request'>, results: ReadonlyMap<CoreId, RunningStatistics>): void {
    const cores = [...results.keys()];
    const rows = [...results.values()];
    for (const [core, { min }] of results) this.drift.note(core, min);
    this.context.send(SKB_PEER, {
      type: 'measure_report',
      batch: request.batch,
      cores,
      averages: rows.map((r) => r.average),
      variances: rows.map((r) => r.variance),
      minima: rows.map((r) => r.min),
      maxima: rows.map((r) => r.max),
    });
  }
}

import { type CoreId, type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from '../context.ts';
import type { Drift } from './drift.ts';
import type { Rallied, Rally, Spread } from './rally.ts';

/** Measures round trips on the SKB's request: a rally with each named core, and one report. */
export class Measure {
  constructor(
    private readonly context: MonitorContext,
    private readonly rally: Rally,
    private readonly drift: Drift,
  ) {}

  onRequest(request: MessageOf<'measure_request'>, now: Nanos): void {
    const results = new Map<CoreId, Rallied>();
    const queue = request.cores.filter((core) => core !== this.context.core);
    let lanes = Math.max(1, Math.min(request.at_once, queue.length));
    const next = (at: Nanos): void => {
      const core = queue.shift();
      if (core === undefined) {
        lanes -= 1;
        if (lanes === 0) this.report(request.batch, results);
        return;
      }
      this.rally.play(core, request.pings, at, (rallied, later) => {
        if (rallied !== null) results.set(core, rallied);
        next(later);
      });
    };
    for (let i = lanes; i > 0; i--) next(now);
  }

  private report(batch: number, results: ReadonlyMap<CoreId, Rallied>): void {
    const { core: own } = this.context;
    const rows: (readonly [from: CoreId, to: CoreId, trips: Spread])[] = [];
    for (const [core, { there, back }] of results) {
      this.drift.note(core, there.min);
      rows.push([own, core, there], [core, own, back]);
    }
    this.context.send(SKB_PEER, {
      type: 'measure_report',
      batch,
      from: rows.map(([from]) => from),
      to: rows.map(([, to]) => to),
      averages: rows.map(([, , trips]) => trips.average),
      variances: rows.map(([, , trips]) => trips.variance),
      minima: rows.map(([, , trips]) => trips.min),
      maxima: rows.map(([, , trips]) => trips.max),
    });
  }
}

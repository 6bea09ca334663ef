import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { RelationOf } from './measuring-tasks.ts';

/** One measured direction: `message_rtt(From, To, Avg, Var, Min, Max)`, nanoseconds. */
export interface RoundTrip {
  readonly average: Nanos;
  readonly variance: number;
  readonly min: Nanos;
  readonly max: Nanos;
}

/** The measured round trips of a cluster, by pair. */
export class RoundTrips {
  private readonly rows = new Map<CoreId, Map<CoreId, RoundTrip>>();

  set(from: CoreId, to: CoreId, trip: RoundTrip): void {
    let row = this.rows.get(from);
    if (row === undefined) this.rows.set(from, (row = new Map()));
    row.set(to, trip);
  }

  get(from: CoreId, to: CoreId): RoundTrip | undefined {
    return this.rows.get(from)?.get(to);
  }

  /** Drops a core that is gone. */
  drop(core: CoreId): void {
    this.rows.delete(core);
    for (const row of this.rows.values()) row.delete(core);
  }

  /** All rows, ascending by pair. */
  *entries(): Generator<readonly [from: CoreId, to: CoreId, trip: RoundTrip]> {
    for (const [from, row] of [...this.rows].sort(byCore)) {
      for (const [to, trip] of [...row].sort(byCore)) yield [from, to, trip];
    }
  }
}

/** The median one-way latency of each measured relation. */
export function typicalLatencies(trips: RoundTrips, relationOf: RelationOf): ReadonlyMap<string, Nanos> {
  const byRelation = new Map<string, Nanos[]>();
  for (const [from, to, { min }] of trips.entries()) {
    const relation = relationOf(from, to);
    const latencies = byRelation.get(relation);
    if (latencies === undefined) byRelation.set(relation, [min / 2]);
    else latencies.push(min / 2);
  }
  const typical = new Map<string, Nanos>();
  for (const [relation, latencies] of byRelation)
    typical.set(relation, known(latencies.sort((a, b) => a - b)[latencies.length >> 1]));
  return typical;
}

function byCore(a: readonly [CoreId, unknown], b: readonly [CoreId, unknown]): number {
  return a[0] - b[0];
}

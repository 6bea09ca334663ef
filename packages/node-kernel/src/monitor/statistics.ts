import { known } from '@mk/monitor-proto/assert';

/** Running statistics of a series by Welford's method, without keeping samples. */
export class RunningStatistics {
  count = 0;
  average = 0;
  min = Infinity;
  max = -Infinity;
  private squares = 0;

  add(value: number): void {
    this.count += 1;
    const before = value - this.average;
    this.average += before / this.count;
    this.squares += before * (value - this.average);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  /** Sample variance; 0 for fewer than two samples. */
  get variance(): number {
    return this.count < 2 ? 0 : this.squares / (this.count - 1);
  }
}

/** A series of times, nanoseconds. */
export interface TimeSummary {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly average: number;
}

/** Summary of samples: nearest-rank percentiles. */
export function summarise(samples: readonly number[]): TimeSummary {
  if (samples.length === 0) return { count: 0, min: 0, p50: 0, p99: 0, max: 0, average: 0 };
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = (share: number): number =>
    known(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]);
  const sum = sorted.reduce((total, x) => total + x, 0);
  return {
    count: sorted.length,
    min: known(sorted[0]),
    p50: rank(0.5),
    p99: rank(0.99),
    max: known(sorted.at(-1)),
    average: sum / sorted.length,
  };
}

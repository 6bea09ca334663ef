import { Histogram, type MetricSample } from '@mk/monitor-proto/metrics';
import type { Nanos } from '@mk/monitor-proto/ids';

/** Upper bounds in seconds: from a round within a package to one over a bad WAN. */
const BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** How long global operations took, by kind. */
export class OperationTimes {
  private readonly histograms = new Map<string, Histogram>();

  observe(kind: string, elapsed: Nanos): void {
    let histogram = this.histograms.get(kind);
    if (histogram === undefined) this.histograms.set(kind, (histogram = new Histogram(BOUNDS)));
    histogram.observe(elapsed / 1e9);
  }

  samples(): readonly MetricSample[] {
    return [...this.histograms].flatMap(([operation, histogram]) => histogram.samples({ operation }));
  }
}

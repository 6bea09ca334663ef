import { known } from './assert.ts';

/**
 * One metric with its samples, in the terms of Prometheus' text format 0.0.4. A counter never falls during its
 * process's life.
 */
export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  /** Appended to the family's name: `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** The text for a scraper, with the `common` labels on every sample. */
export function metricsText(
  families: readonly MetricFamily[],
  common: Readonly<Record<string, string | number>>,
): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { suffix = '', labels = {}, value } of samples)
      lines.push(`${name}${suffix}${labelText({ ...common, ...labels })} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

/** A histogram with fixed upper bounds. */
export class Histogram {
  private readonly counts: number[];
  private sum = 0;

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const at = this.bounds.findIndex((bound) => value <= bound);
    this.counts[at < 0 ? this.bounds.length : at]! += 1;
    this.sum += value;
  }

  samples(labels: Readonly<Record<string, string | number>>): readonly MetricSample[] {
    let total = 0;
    const buckets = [...this.bounds, Infinity].map((bound, i): MetricSample => {
      total += known(this.counts[i]);
      return { suffix: '_bucket', labels: { ...labels, le: bound === Infinity ? '+Inf' : bound }, value: total };
    });
    return [...buckets, { suffix: '_sum', labels, value: this.sum }, { suffix: '_count', labels, value: total }];
  }
}

function labelText(labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${String(value).replace(/["\\\n]/g, '_')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

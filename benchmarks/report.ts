import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

/** One figure: the ratio of ours to the baseline, run by run, and its target. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly baseline: readonly number[];
  /** `at most` or `at least` this ratio; null: only printed. */
  readonly target: { readonly kind: 'at most' | 'at least'; readonly ratio: number } | null;
}

/**
 * Prints a figure as median [min–max] of both sides and of the ratio of each pair of runs, and saves it in
 * benchmarks/results.
 */
export function report(figures: readonly Figure[], file: string): void {
  const rows = figures.map((figure) => {
    const ratios = figure.ours.map((value, i) => value / figure.baseline[i]!);
    const ratio = median(ratios);
    const { target } = figure;
    const held = target === null ? null : target.kind === 'at most' ? ratio <= target.ratio : ratio >= target.ratio;
    return { ...figure, ratios, ratio, held };
  });
  for (const row of rows) {
    const verdict =
      row.target === null ? '' : `  (${row.target.kind} ${row.target.ratio}: ${row.held ? 'held' : 'MISSED'})`;
    process.stdout.write(
      `${row.name}\n  ours      ${spread(row.ours)} ${row.unit}\n  baseline  ${spread(row.baseline)} ${row.unit}\n  ratio     ${spread(row.ratios)}${verdict}, ${row.ours.length} runs\n`,
    );
  }
  keep(file, { figures: rows });
}

/** Saves measurements in benchmarks/results. */
export function keep(file: string, measured: object): void {
  const folder = join(process.cwd(), 'benchmarks', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${file}.json`), `${JSON.stringify({ node: process.version, ...measured }, null, 2)}\n`);
}

/** Wall-clock and processor time of some work, in milliseconds. On a busy machine only the second is the work's own. */
export function timed(work: () => void): { readonly wallMs: number; readonly cpuMs: number } {
  const cpu = process.cpuUsage();
  const start = performance.now();
  work();
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1000 };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function spread(values: readonly number[]): string {
  return `${short(median(values))} [${short(Math.min(...values))}–${short(Math.max(...values))}]`;
}

function short(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}

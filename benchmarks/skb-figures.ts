import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, spread } from './report.ts';

export { median };

/** One figure with an absolute target, or none. */
export interface AbsoluteFigure {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly target: { readonly kind: 'at most' | 'at least'; readonly value: number } | null;
}

/** Prints figures as median [min–max], says which targets are met, and saves them in benchmarks/results. */
export function printFigures(file: string, figures: readonly AbsoluteFigure[]): void {
  const rows = figures.map((figure) => ({ ...figure, median: median(figure.values), held: isHeld(figure) }));
  for (const { name, unit, values, target, held } of rows) {
    const bound =
      target === null
        ? ''
        : `  (${target.kind} ${Math.round(target.value).toLocaleString('en')}: ${held ? 'held' : 'MISSED'})`;
    process.stdout.write(`${name}\n  ${spread(values)} ${unit}${bound}\n`);
  }
  const folder = join(process.cwd(), 'benchmarks', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${file}.json`), `${JSON.stringify({ node: process.version, figures: rows }, null, 2)}\n`);
}

function isHeld({ values, target }: AbsoluteFigure): boolean | null {
  if (target === null) return null;
  return target.kind === 'at most' ? median(values) <= target.value : median(values) >= target.value;
}

import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { RttRow } from '@mk/skb/facts/cluster-facts';

type Cells = ReadonlyMap<string, number>;

/** Rows ping, columns answer: each pair's shortest round trip; one unit for the whole matrix, in the corner. */
export function matrixText(rows: readonly RttRow[]): string {
  const cores = ascending(rows.flatMap(({ from, to }) => [from, to]));
  return table(cores, new Map(rows.map(({ from, to, min }) => [`${from} ${to}`, min])), '·');
}

/** By package: the median over all pairs of cores; the diagonal is within a package. */
export function packageMatrixText(rows: readonly RttRow[], packageOf: (core: CoreId) => number): string {
  const groups = new Map<string, number[]>();
  for (const { from, to, min } of rows) {
    const key = `${packageOf(from)} ${packageOf(to)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [min]);
    else group.push(min);
  }
  const cells = new Map(
    [...groups].map(([key, values]) => [key, known(values.sort((a, b) => a - b)[Math.ceil(values.length / 2) - 1])]),
  );
  return table(ascending(rows.flatMap(({ from, to }) => [packageOf(from), packageOf(to)])), cells, '·');
}

function table(names: readonly number[], cells: Cells, own: string): string {
  const inMs = Math.max(0, ...cells.values()) >= 1e6;
  const cell = (from: number, to: number): string => {
    const ns = cells.get(`${from} ${to}`);
    if (ns === undefined) return from === to ? own : '?';
    return inMs ? milliseconds(ns) : Math.round(ns / 1e3).toString();
  };
  const lines = [
    [inMs ? 'ms' : 'µs', ...names.map(String)],
    ...names.map((from) => [String(from), ...names.map((to) => cell(from, to))]),
  ];
  const widths = known(lines[0]).map((_, column) => Math.max(...lines.map((line) => known(line[column]).length)));
  return lines.map((line) => line.map((text, column) => text.padStart(known(widths[column]))).join('  ')).join('\n');
}

function milliseconds(ns: number): string {
  return (ns / 1e6).toFixed(ns >= 1e8 ? 0 : ns >= 1e7 ? 1 : 2);
}

function ascending(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/**
 * Shared memory against messages, in the form that both worlds report (the paper's Fig. 3): a column for each kind and
 * number of lines.
 */
import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import { plotSvg } from './svg-plot.ts';

/** A row of `share-bench`: the mean time of an update of `lines` lines by each of `cores` cores. */
export interface ShareRow {
  readonly cores: number;
  readonly lines: number;
  readonly shared_ns: Nanos;
  readonly messages_ns: Nanos;
}

/** SHM8, MSG8 …: the paper's names. */
function columnsOf(rows: readonly ShareRow[]) {
  return [...new Set(rows.map(({ lines }) => lines))].flatMap((lines) => {
    const mine = rows.filter((row) => row.lines === lines);
    const column = (name: string, of: (row: ShareRow) => Nanos) => ({
      name: `${name}${lines}`,
      points: mine.map((row) => [row.cores, of(row)] as const),
    });
    return [column('SHM', (row) => row.shared_ns), column('MSG', (row) => row.messages_ns)];
  });
}

export function shareText(rows: readonly ShareRow[], unit: { readonly name: string; readonly ns: Nanos }): string {
  const columns = columnsOf(rows);
  const counts = [...new Set(rows.map(({ cores }) => cores))].sort((a, b) => a - b);
  const cell = (ns: Nanos | undefined): string =>
    (ns === undefined ? '' : (ns / unit.ns).toFixed(unit.ns === 1000 ? 1 : 0)).padStart(12);
  return [
    `An update of this many lines by each core, ${unit.name}: SHM by loads and stores, MSG by a message to one server`,
    ['cores', ...columns.map(({ name }) => name.padStart(12))].join(''),
    ...counts.map((cores) =>
      [
        String(cores).padStart(5),
        ...columns.map(({ points }) => cell(points.find(([count]) => count === cores)?.[1])),
      ].join(''),
    ),
    ...verdicts(rows),
  ].join('\n');
}

/** The number of cores from which messages cost less, by number of lines. */
function verdicts(rows: readonly ShareRow[]): readonly string[] {
  return [...new Set(rows.map(({ lines }) => lines))].map((lines) => {
    const mine = rows.filter((row) => row.lines === lines);
    const last = mine.findLastIndex((row) => row.messages_ns >= row.shared_ns);
    const from = mine[last + 1];
    const what = `an update of ${lines} ${lines === 1 ? 'line' : 'lines'}`;
    return from === undefined
      ? `Shared memory is the cheaper for ${what} by ${coresText(known(mine.at(-1)).cores)}.`
      : `Messages are the cheaper for ${what} from ${coresText(from.cores)}.`;
  });
}

function coresText(cores: number): string {
  return cores === 1 ? '1 core' : `${cores} cores`;
}

export function sharePlot(rows: readonly ShareRow[], where: string): string {
  const curves = columnsOf(rows).map(({ name, points }) => ({
    name,
    points: points.map(([cores, ns]) => [cores, ns / 1000] as const),
  }));
  return plotSvg(curves, {
    title: `Shared memory and messages${where}`,
    xLabel: 'cores that update',
    yLabel: 'microseconds an update',
  });
}

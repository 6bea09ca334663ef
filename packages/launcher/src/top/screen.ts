import type { Terminal } from '../cli/terminal.ts';
import { amount, COLUMNS } from './columns.ts';
import type { DispatcherRow, TopRow } from './rows.ts';
import { arranged, KEYS, type TopView } from './view.ts';

/** The lines above the table. */
export interface TopSummary {
  readonly cluster: string;
  readonly intervalMs: number;
  /** Fault rules in force. */
  readonly faults: number;
  readonly rows: readonly TopRow[];
}

export interface ScreenSize {
  readonly columns: number;
  readonly lines: number;
}

type Colour = Terminal['colour'];

/** The whole screen, a text per line, none wider than the screen. */
export function screenOf(summary: TopSummary, view: TopView, size: ScreenSize, colour: Colour): readonly string[] {
  const head = headOf(summary, view).map((line) => line.slice(0, size.columns));
  if (view.help) return [...head, '', ...helpLines().map((line) => line.slice(0, size.columns))].slice(0, size.lines);
  const foot = footOf(view).slice(0, size.columns);
  const body = bodyOf(summary.rows, view, colour, size.columns);
  const room = Math.max(1, size.lines - head.length - 2);
  const selected = Math.min(view.selected, Math.max(0, body.length - 1));
  const first = Math.max(0, Math.min(selected - room + 1, body.length - room));
  const shown = body
    .slice(first, first + room)
    .map(({ text, paint }, i) => (first + i === selected ? colour.inverse(text.padEnd(size.columns)) : paint(text)));
  const blank = Array.from({ length: room - shown.length }, () => '');
  const title = colour.bold(titleLine(view).slice(0, size.columns));
  return [...head, title, ...shown, ...blank, colour.dim(foot)].slice(0, size.lines);
}

/** The table once, for a pipe. */
export function plainText(summary: TopSummary, view: TopView): string {
  const plain = (text: string): string => text;
  const body = bodyOf(summary.rows, view, { red: plain, yellow: plain, dim: plain }, Infinity);
  return [...headOf(summary, view), titleLine(view), ...body.map(({ text }) => text.trimEnd())].join('\n');
}

function headOf({ cluster, intervalMs, faults, rows }: TopSummary, view: TopView): readonly string[] {
  const cores = rows.filter(({ core }) => core !== null);
  const running = cores.filter(({ state }) => state === 'running').length;
  const total = (of: (row: TopRow) => number | null): number => rows.reduce((sum, row) => sum + (of(row) ?? 0), 0);
  const suspects = total(({ suspects: count }) => count);
  return [
    `mkctl top - ${cluster}  ${running} of ${cores.length} cores running, every ${intervalMs / 1000} s${view.paused ? ', PAUSED' : ''}`,
    `messages ${amount(total(({ receivedPerSecond }) => receivedPerSecond))}/s, ` +
      `${amount(total(({ sentBytesPerSecond }) => sentBytesPerSecond))}B/s, queued ${amount(total(({ queued }) => queued))}, ` +
      `operations ${total(({ operations }) => operations)}, dispatchers ${total(({ dispatchers }) => dispatchers.length)}, ` +
      `faults ${faults}, suspicions ${suspects}`,
    view.filter === null ? '' : `filter: ${view.filter}${view.typing ? '_' : ''}`,
  ];
}

function titleLine({ sort, inverted }: TopView): string {
  return COLUMNS.map(({ name, title, width }) =>
    cell(name === sort ? `${title}${inverted ? '△' : '▽'}` : title, width, name),
  ).join(' ');
}

interface BodyLine {
  readonly text: string;
  readonly paint: (text: string) => string;
}

function bodyOf(
  rows: readonly TopRow[],
  view: TopView,
  colour: Readonly<Record<'red' | 'yellow' | 'dim', (text: string) => string>>,
  columns: number,
): readonly BodyLine[] {
  const plain = (text: string): string => text;
  return arranged(rows, view).flatMap((row): readonly BodyLine[] => {
    const text = COLUMNS.map(({ name, width, show }) => cell(show(row), width, name)).join(' ');
    const paint = row.state !== 'running' ? colour.red : (row.suspects ?? 0) > 0 ? colour.yellow : plain;
    const dispatchers = view.tree
      ? row.dispatchers.map((each) => ({ text: dispatcherLine(each).slice(0, columns), paint: colour.dim }))
      : [];
    return [{ text: text.slice(0, columns), paint }, ...dispatchers];
  });
}

function dispatcherLine({ domain, dispatcher, program, runRatio, runSeconds }: DispatcherRow): string {
  const share = runRatio === null ? '' : (100 * runRatio).toFixed(1);
  return `   └─ ${program} (domain ${domain}, dispatcher ${dispatcher})  RUN% ${share || '-'}  total ${runSeconds.toFixed(2)} s`;
}

function cell(text: string, width: number, name: string): string {
  return name === 'core' || name === 'state' ? text.padEnd(width) : text.padStart(width);
}

function footOf({ typing }: TopView): string {
  return typing
    ? 'Enter keeps the filter, Esc drops it'
    : 'q quit  h help  P cpu  T run  R rate  Q queue  O ops  S silence  I invert  t tree  / filter';
}

function helpLines(): readonly string[] {
  return [
    ...KEYS.map(({ shown, doc }) => `${shown.padStart(10)}  ${doc}`),
    '',
    ...COLUMNS.map(({ title, doc }) => `${title.padStart(10)}  ${doc}`),
  ];
}

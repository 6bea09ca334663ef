import { known } from '@mk/monitor-proto/assert';
import { COLUMNS, columnOf } from './columns.ts';
import type { TopRow } from './rows.ts';

/** The user's choices. */
export interface TopView {
  readonly sort: string;
  /** Reverses the column's own order. */
  readonly inverted: boolean;
  /** Dispatchers below their core. */
  readonly tree: boolean;
  readonly help: boolean;
  readonly paused: boolean;
  /** Only rows with this text; null: all. */
  readonly filter: string | null;
  /** The filter is being typed. */
  readonly typing: boolean;
  readonly selected: number;
  readonly done: boolean;
}

export const FIRST_VIEW: TopView = {
  sort: 'core',
  inverted: false,
  tree: false,
  help: false,
  paused: false,
  filter: null,
  typing: false,
  selected: 0,
  done: false,
};

interface Key {
  /** As the terminal sends them. */
  readonly codes: readonly string[];
  readonly shown: string;
  readonly doc: string;
  press(view: TopView): TopView;
}

const sortBy =
  (sort: string) =>
  (view: TopView): TopView => ({ ...view, sort, inverted: view.sort === sort && !view.inverted });

const move =
  (by: number) =>
  (view: TopView): TopView => ({ ...view, selected: Math.max(0, view.selected + by) });

function nextColumn(step: number): (view: TopView) => TopView {
  return (view) => {
    const at = COLUMNS.findIndex(({ name }) => name === view.sort);
    return { ...view, sort: known(COLUMNS[(at + step + COLUMNS.length) % COLUMNS.length]).name, inverted: false };
  };
}

/** The keys: htop's where it has them. */
export const KEYS: readonly Key[] = [
  { codes: ['q', '\x03', '\x1b[21~'], shown: 'q F10 ^C', doc: 'quit', press: (view) => ({ ...view, done: true }) },
  {
    codes: ['h', '?', '\x1bOP', '\x1b[11~'],
    shown: 'h ? F1',
    doc: 'this help',
    press: (view) => ({ ...view, help: !view.help }),
  },
  { codes: ['P'], shown: 'P', doc: 'sort by CPU', press: sortBy('cpu') },
  { codes: ['M'], shown: 'M', doc: 'sort by memory', press: sortBy('memory') },
  { codes: ['T'], shown: 'T', doc: 'sort by run time of dispatchers', press: sortBy('run') },
  { codes: ['N'], shown: 'N', doc: 'sort by number', press: sortBy('core') },
  { codes: ['R'], shown: 'R', doc: 'sort by messages received', press: sortBy('in') },
  { codes: ['Q'], shown: 'Q', doc: 'sort by queue', press: sortBy('queue') },
  { codes: ['O'], shown: 'O', doc: 'sort by operations', press: sortBy('ops') },
  { codes: ['S'], shown: 'S', doc: 'sort by silence of links', press: sortBy('silence') },
  { codes: ['>', '.', '\x1b[17~'], shown: '> F6', doc: 'sort by the next column', press: nextColumn(1) },
  { codes: ['<', ','], shown: '<', doc: 'sort by the previous column', press: nextColumn(-1) },
  {
    codes: ['I'],
    shown: 'I',
    doc: 'reverse the order',
    press: (view) => ({ ...view, inverted: !view.inverted }),
  },
  {
    codes: ['t', '\x1b[15~'],
    shown: 't F5',
    doc: 'dispatchers below their core',
    press: (view) => ({ ...view, tree: !view.tree }),
  },
  {
    codes: ['/', '\\', '\x1bOR', '\x1bOS', '\x1b[13~', '\x1b[14~'],
    shown: '/ F4',
    doc: 'only rows that contain a text; Esc shows all',
    press: (view) => ({ ...view, typing: true, filter: '' }),
  },
  {
    codes: ['\x1b'],
    shown: 'Esc',
    doc: 'no filter, no help',
    press: (view) => ({ ...view, filter: null, help: false }),
  },
  { codes: ['Z', 'p'], shown: 'Z', doc: 'pause', press: (view) => ({ ...view, paused: !view.paused }) },
  { codes: ['\x1b[A', '\x1bOA', 'k'], shown: 'Up', doc: 'one row up', press: move(-1) },
  { codes: ['\x1b[B', '\x1bOB', 'j'], shown: 'Down', doc: 'one row down', press: move(1) },
  { codes: ['\x1b[5~'], shown: 'PgUp', doc: 'a page up', press: move(-10) },
  { codes: ['\x1b[6~'], shown: 'PgDn', doc: 'a page down', press: move(10) },
  { codes: ['\x1b[H', '\x1b[1~', 'g'], shown: 'Home', doc: 'the first row', press: move(-Infinity) },
];

/** The effect of a piece of input. Unknown keys do nothing. */
export function pressed(view: TopView, input: string): TopView {
  let next = view;
  for (const code of keysIn(input)) {
    next = next.typing ? typed(next, code) : (KEYS.find(({ codes }) => codes.includes(code))?.press(next) ?? next);
  }
  return next;
}

function typed(view: TopView, code: string): TopView {
  if (code === '\x03') return { ...view, done: true };
  if (code === '\r' || code === '\n')
    return { ...view, typing: false, filter: view.filter === '' ? null : view.filter };
  if (code === '\x1b') return { ...view, typing: false, filter: null };
  if (code === '\x7f' || code === '\b') return { ...view, filter: (view.filter ?? '').slice(0, -1) };
  return code.length === 1 && code >= ' ' ? { ...view, filter: (view.filter ?? '') + code } : view;
}

/** Quick typing or a paste arrives in one piece. */
function keysIn(input: string): readonly string[] {
  // oxlint-disable-next-line no-control-regex
  return input.match(/\x1b(?:\[[0-9;]*[~A-Za-z]|O[A-Za-z])?|[^]/gu) ?? [];
}

/** The visible rows, in order. */
export function arranged(rows: readonly TopRow[], { sort, inverted, filter }: TopView): readonly TopRow[] {
  const column = known(columnOf(sort));
  const sign = column.descending === inverted ? 1 : -1;
  const text = filter?.toLowerCase() ?? '';
  return rows
    .filter((row) => text === '' || textOf(row).includes(text))
    .toSorted((a, b) => sign * compare(column.value(a), column.value(b)) || (a.core ?? -1) - (b.core ?? -1));
}

function textOf({ process, state, dispatchers }: TopRow): string {
  return [process, state, ...dispatchers.flatMap(({ program, domain }) => [program, domain])].join(' ').toLowerCase();
}

/** Unknown values count as the lowest. */
function compare(a: number | string | null, b: number | string | null): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? -1 : 1;
  return a < b ? -1 : 1;
}

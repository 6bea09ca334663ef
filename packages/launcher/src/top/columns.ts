import { known } from '@mk/monitor-proto/assert';
import type { TopRow } from './rows.ts';

/** A column of the table: how it is displayed and sorted. */
export interface TopColumn {
  readonly name: string;
  readonly title: string;
  readonly width: number;
  readonly doc: string;
  /** The first key press sorts the highest first. */
  readonly descending: boolean;
  value(row: TopRow): number | string | null;
  show(row: TopRow): string;
}

export const COLUMNS: readonly TopColumn[] = [
  {
    name: 'core',
    title: 'CORE',
    width: 5,
    doc: 'core, or skb',
    descending: false,
    value: ({ core }) => core ?? -1,
    show: ({ core, process }) => (core === null ? process : String(core)),
  },
  {
    name: 'state',
    title: 'S',
    width: 8,
    doc: 'running, hung, ended, silent',
    descending: false,
    value: ({ state }) => state,
    show: ({ state }) => state,
  },
  number('cpu', 'CPU%', 6, 'share of one CPU', ({ cpuRatio }) => cpuRatio, percent),
  number('run', 'RUN%', 6, 'share of the time that dispatchers had the core', ({ runRatio }) => runRatio, percent),
  number('in', 'IN/s', 7, 'messages received a second', (row) => row.receivedPerSecond, amount),
  number('out', 'OUT/s', 7, 'messages sent a second', (row) => row.sentPerSecond, amount),
  number('bytes', 'B/s', 7, 'bytes of frames sent a second', (row) => row.sentBytesPerSecond, amount),
  number('drop', 'DROP/s', 7, 'frames lost by a rule a second', (row) => row.droppedPerSecond, amount),
  number('queue', 'QUEUE', 6, 'messages not acknowledged yet', ({ queued }) => queued, amount),
  number('ops', 'OPS', 5, 'operations under way', ({ operations }) => operations, amount),
  number('suspects', 'SUSP', 5, 'members that it has not heard from for too long', ({ suspects }) => suspects, amount),
  {
    ...number('silence', 'SILENCE', 12, 'longest silence of a link, and whose', (row) => row.silentSeconds, amount),
    show: ({ silentPeer, silentSeconds }) =>
      silentSeconds === null ? '' : `${time(silentSeconds)} ${silentPeer === 'skb' ? 'skb' : `c${silentPeer}`}`,
  },
  number(
    'lag',
    'LAG',
    7,
    'how late timers fire, 99th percentile',
    ({ lagP99Seconds }) => lagP99Seconds,
    (lag) => time(lag),
  ),
  number('memory', 'MEM', 7, 'resident memory', ({ residentBytes }) => residentBytes, amount),
];

export function columnOf(name: string): TopColumn | undefined {
  return COLUMNS.find((column) => column.name === name);
}

function number(
  name: string,
  title: string,
  width: number,
  doc: string,
  value: (row: TopRow) => number | null,
  show: (value: number) => string,
): TopColumn {
  const shown = (row: TopRow): string => {
    const found = value(row);
    return found === null ? '' : show(found);
  };
  return { name, title, width, doc, descending: true, value, show: shown };
}

function percent(ratio: number): string {
  return (100 * ratio).toFixed(1);
}

/** At most five characters: 999, 12.3k, 1.2M. */
export function amount(value: number): string {
  if (value < 1000) return value > 0 && value < 10 && !Number.isInteger(value) ? value.toFixed(1) : value.toFixed(0);
  const power = Math.min(4, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  return `${scaled.toFixed(scaled < 100 ? 1 : 0)}${known(' kMGT'[power])}`;
}

/** Seconds for people: 3ms, 1.2s, 5m. */
function time(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  return seconds < 100 ? `${seconds.toFixed(1)}s` : `${Math.round(seconds / 60)}m`;
}

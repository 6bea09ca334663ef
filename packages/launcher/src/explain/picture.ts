import { type Diagram, spaceTimeDiagram } from '@mk/sim/trace/space-time';
import type { Said, Story } from './story.ts';

type Fate = Pick<Said, 'sentMs' | 'deliveredMs' | 'isWitnessed'>;

const MOST_ROWS = 200;
const SLOWEST = 5;

/** The story on a terminal: a column per process, time downwards by Lamport's order, slow parts below. */
export function storyText(story: Story, columns: number): string {
  const { op, who, result, elapsedUs, slow, faults } = story;
  const head = `operation ${op}: ${result ?? 'its end is not in the logs'}${elapsedUs === null ? '' : ` after ${(elapsedUs / 1000).toFixed(2)} ms`}`;
  const width = Math.max(9, Math.min(18, Math.floor((columns - 12) / Math.max(1, who.length))));
  const wide = 12 + width * who.length <= columns;
  const rows = wide ? laneRows(story, width) : listRows(story);
  const shown = rows.length > MOST_ROWS ? [...rows.slice(0, MOST_ROWS), `… and ${rows.length - MOST_ROWS} more`] : rows;
  const none =
    story.said.length === 0 ? ['no messages are in the logs: boot with --log-level debug to see who said what'] : [];
  const worst = slow
    .slice(0, SLOWEST)
    .map(({ ms, text }) => `  ${ms === Infinity ? 'lost' : `${ms.toFixed(1)} ms`}  ${text}`);
  return [
    head,
    ...faults.map((fault) => `fault meanwhile: ${fault}`),
    ...none,
    ...shown,
    ...(worst.length === 0 ? ['nothing took a millisecond or more'] : ['slow:', ...worst]),
  ].join('\n');
}

interface Row {
  readonly atMs: number;
  readonly lamport: number;
  line(): string;
}

/** Arrows between columns: `*──round_request──▶`. */
function laneRows({ who, said, told, startMs }: Story, width: number): readonly string[] {
  const column = (name: string): number => who.indexOf(name);
  const lanes = (): string[] => Array.from({ length: width * who.length }, (_, i) => (i % width === 0 ? '│' : ' '));
  const arrow = ({ from, to, message, ...fate }: Said): string => {
    const [a, b] = [column(from) * width, column(to) * width];
    const cells = lanes();
    const [left, right] = [Math.min(a, b), Math.max(a, b)];
    for (let i = left + 1; i < right; i++) cells[i] = '─';
    cells[a] = '*';
    cells[b] = fate.deliveredMs !== null ? (b > a ? '▶' : '◀') : fate.isWitnessed ? '✗' : '?';
    const room = right - left - 3;
    const label = message.slice(0, Math.max(0, room));
    const start = left + 1 + Math.floor((right - left - 1 - label.length) / 2);
    cells.splice(start, label.length, ...label);
    const took = fate.deliveredMs !== null && fate.deliveredMs - fate.sentMs < 1 ? '' : tookOf(fate);
    return `${cells.join('').trimEnd()}  ${took}`.trimEnd();
  };
  const note = (name: string, text: string): string => {
    const cells = lanes();
    const at = column(name) * width;
    cells[at] = '●';
    return cells.slice(0, at + 1).join('') + ` ${text}`;
  };
  const head =
    ' '.repeat(12) +
    who
      .map((name) => name.padEnd(width))
      .join('')
      .trimEnd();
  return [
    head,
    ...ordered([
      ...said.map((each) => ({ atMs: each.sentMs, lamport: each.lamport, line: () => arrow(each) })),
      ...told.map(({ who: name, atMs, lamport, text }) => ({ atMs, lamport, line: () => note(name, text) })),
    ]).map((row) => `${stamp(row.atMs - startMs)}  ${row.line()}`),
  ];
}

/** For more columns than the terminal has: one event a line. */
function listRows({ said, told, startMs }: Story): readonly string[] {
  const sent = ({ from, to, message, ...fate }: Said): string => `${from} → ${to}  ${message}  ${tookOf(fate)}`;
  return ordered([
    ...said.map((each) => ({ atMs: each.sentMs, lamport: each.lamport, line: () => sent(each) })),
    ...told.map(({ who, atMs, lamport, text }) => ({ atMs, lamport, line: () => `${who}: ${text}` })),
  ]).map((row) => `${stamp(row.atMs - startMs)}  ${row.line()}`);
}

/** How long it travelled, or what became of it. */
function tookOf({ sentMs, deliveredMs, isWitnessed }: Fate): string {
  if (deliveredMs !== null) return `${(deliveredMs - sentMs).toFixed(1)} ms`;
  return isWitnessed ? 'never arrived' : 'arrived or not: the receiver’s log does not tell';
}

/** By Lamport's clock: a cause stands above its effect, whatever the processes' clocks say. */
function ordered(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((a, b) => a.lamport - b.lamport || a.atMs - b.atMs);
}

function stamp(ms: number): string {
  return `${ms.toFixed(ms < 1000 ? 1 : 0).padStart(7)} ms`;
}

/** The story as a space-time diagram. Moments follow Lamport's order where the logs' milliseconds coincide. */
export function storySvg(story: Story): string {
  const { said, told, who, startMs, op, result, elapsedUs, faults } = story;
  // A log's time is in milliseconds: within one, the order is Lamport's, drawn a microsecond apart.
  const nanos = (atMs: number, lamport: number): number => (atMs - startMs) * 1e6 + (lamport - first) * 1000;
  const first = [...said, ...told].reduce((least, { lamport }) => Math.min(least, lamport), Infinity);
  const diagram: Diagram = {
    title: `Operation ${op}: ${result ?? 'end unknown'}${elapsedUs === null ? '' : `, ${(elapsedUs / 1000).toFixed(2)} ms`}`,
    nodes: who.map((name, id) => ({ id, name })),
    arrows: said.map(({ from, to, message, sentMs, deliveredMs, isWitnessed, lamport }) => ({
      from: who.indexOf(from),
      to: who.indexOf(to),
      sentAt: nanos(sentMs, lamport),
      dueAt: deliveredMs === null ? null : Math.max(nanos(deliveredMs, lamport + 1), nanos(sentMs, lamport) + 500),
      label:
        deliveredMs === null || deliveredMs - sentMs < 1
          ? message
          : `${message} (${(deliveredMs - sentMs).toFixed(1)} ms)`,
      note: deliveredMs === null ? tookOf({ sentMs, deliveredMs, isWitnessed }) : '',
      group: message.endsWith('_reply') ? 'replies' : 'requests',
    })),
    marks: faults.map((text) => ({ at: 0, node: null, text: `meanwhile: ${text}` })),
    leftOut: 'Times are the processes’ own, to the millisecond.',
  };
  return spaceTimeDiagram(diagram);
}

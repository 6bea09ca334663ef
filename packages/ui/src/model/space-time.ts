import type { LogLineView, Millis } from './page-events.ts';
import type { OperationView } from './operations.ts';

/** A core's act. */
interface SpaceTimeMark {
  readonly core: number;
  readonly at: number;
  readonly event: string;
  readonly line: LogLineView;
}

/** A message on its way. */
interface SpaceTimeArrow {
  readonly from: number;
  readonly to: number;
  readonly sentAt: number;
  /** Null: nobody reported its arrival. */
  readonly deliveredAt: number | null;
  readonly message: string;
}

/** One operation over space (a lane per core) and time. `at` runs from 0 to `span`. */
export interface SpaceTime {
  readonly cores: readonly number[];
  readonly marks: readonly SpaceTimeMark[];
  readonly arrows: readonly SpaceTimeArrow[];
  readonly span: number;
  readonly spanMs: Millis;
  /** `time`: milliseconds, to scale. `order`: one step per event, by Lamport clock; not to scale. */
  readonly scale: 'time' | 'order';
}

/**
 * Lays out an operation: by time if it is long or the times of its lines differ; otherwise, or on request, by order.
 * Processes log whole milliseconds, and most operations of a cluster on one host end within one.
 */
export function spaceTimeOf(operation: OperationView, wanted: 'time' | 'order' | 'auto' = 'auto'): SpaceTime {
  const lines = inOrder(operation.lines.filter(({ core }) => typeof core === 'number'));
  const begin = lines[0]?.time ?? 0;
  const spanMs = (lines.at(-1)?.time ?? 0) - begin;
  const scale = wanted === 'auto' ? telling(lines, spanMs) : wanted;
  const at = (line: LogLineView, i: number): number => (scale === 'time' ? line.time - begin : i);
  const placed = lines.map((line, i) => ({ line, at: at(line, i) }));
  const marks = placed
    .filter(({ line }) => !line.event.startsWith('message_'))
    .map(({ line, at }) => ({ core: Number(line.core), at, event: line.event, line }));
  const span = scale === 'time' ? spanMs || 1 : Math.max(1, lines.length - 1);
  return { cores: coresOf(operation), marks, arrows: arrowsOf(placed), span, spanMs, scale };
}

/** An operation this long is worth seeing to scale, though some of its events coincide. */
const TELLING_MS = 20;

/** The scale that shows more. */
function telling(lines: readonly LogLineView[], spanMs: Millis): 'time' | 'order' {
  const distinct = new Set(lines.map(({ time }) => time)).size;
  return spanMs >= TELLING_MS || (distinct > 2 && distinct * 2 >= lines.length) ? 'time' : 'order';
}

interface Placed {
  readonly line: LogLineView;
  readonly at: number;
}

/** Sent and delivered lines of one message carry the same channel, lane and number. */
function arrowsOf(placed: readonly Placed[]): SpaceTimeArrow[] {
  const delivered = new Map(
    placed.filter(({ line }) => line.event === 'message_delivered').map(({ line, at }) => [keyOf(line), at]),
  );
  return placed.flatMap(({ line, at }) => {
    const { peer } = line;
    if (line.event !== 'message_sent' || typeof peer !== 'number') return [];
    const deliveredAt = delivered.get(keyOf(line)) ?? null;
    return [{ from: Number(line.core), to: peer, sentAt: at, deliveredAt, message: String(line['message']) }];
  });
}

function keyOf({ channel, lane, number, message }: LogLineView): string {
  return [channel, lane, number, message].join(' ');
}

function coresOf({ op, cores, lines }: OperationView): number[] {
  const all = new Set(cores);
  for (const { peer } of lines) if (typeof peer === 'number') all.add(peer);
  const initiator = Number(op.split('.')[0]);
  // The initiator comes first.
  return [...all].sort((a, b) => Number(b === initiator) - Number(a === initiator) || a - b);
}

/** By time, and within a millisecond by Lamport clock, which puts causes before effects. */
function inOrder(lines: readonly LogLineView[]): LogLineView[] {
  return [...lines].sort((a, b) => a.time - b.time || (a.lamport ?? 0) - (b.lamport ?? 0));
}

import type { Nanos } from '@mk/monitor-proto/ids';
import type { Arrow, Mark, Slice } from './recorder.ts';
import type { SimLogLine } from '../engine/sim-log.ts';

/** The part of a run that is wanted: one operation, a span of virtual time, or both. */
export interface Selection {
  /** `core.incarnation.n`; null: everything. */
  readonly op: string | null;
  readonly fromNs: Nanos;
  readonly toNs: Nanos;
}

/** The contents of a recorder. */
export interface Recorded {
  readonly slices: readonly Slice[];
  readonly arrows: readonly Arrow[];
  readonly lines: readonly SimLogLine[];
  readonly marks: readonly Mark[];
}

/** The selected part of a run; for an operation, its messages and lines, and the faults in force meanwhile. */
export function select(recorded: Recorded, { op, fromNs, toNs }: Selection): Recorded {
  const timed = (at: Nanos): boolean => at >= fromNs && at <= toNs;
  const lines = recorded.lines.filter((line) => timed(line.time * 1e6) && (op === null || line['op'] === op));
  const arrows = recorded.arrows.filter(({ sentAt, label }) => timed(sentAt) && (op === null || names(label, op)));
  const times = [
    ...lines.map(({ time }) => time * 1e6),
    ...arrows.flatMap(({ sentAt, dueAt }) => [sentAt, dueAt ?? sentAt]),
  ];
  const first = op === null ? fromNs : least(times, Infinity);
  const last =
    op === null
      ? toNs
      : -least(
          times.map((at) => -at),
          Infinity,
        );
  const within = (from: Nanos, to: Nanos): boolean => to >= first && from <= last;
  return {
    lines,
    arrows,
    slices: recorded.slices.filter(({ from, to, name }) => within(from, to) && (op === null || names(name, op))),
    marks: [...inForce(recorded.marks, first), ...recorded.marks.filter(({ at }) => within(at, at))],
  };
}

/** Earlier faults that had not ended, as marks at the beginning. */
export function inForce(marks: readonly Mark[], at: Nanos): readonly Mark[] {
  const begun = new Map<string, Mark>();
  for (const mark of marks) {
    if (mark.at >= at || mark.fault === '') continue;
    if (mark.ends) begun.delete(mark.fault);
    else begun.set(mark.fault, mark);
  }
  return [...begun.values()].map((mark) => ({
    ...mark,
    at,
    text: `${mark.text} (in force since ${(mark.at / 1e6).toFixed(3)} ms)`,
  }));
}

function names(label: string, op: string): boolean {
  return label.split(/[ ,]+/).includes(op);
}

/** Math.min cannot take a hundred thousand arguments. */
function least(values: readonly number[], otherwise: number): number {
  return values.reduce((min, value) => Math.min(min, value), otherwise);
}

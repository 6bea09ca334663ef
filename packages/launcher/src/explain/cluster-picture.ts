import { type DiagramArrow, type DiagramMark, spaceTimeDiagram } from '@mk/sim/trace/space-time';
import type { parseLine } from '../display/log-printer.ts';

type LogLine = NonNullable<ReturnType<typeof parseLine>>;

/** More marks or arrows would be unreadable. */
const MOST = 300;
const TOLD: Readonly<Record<string, (line: LogLine) => string>> = {
  fault_applied: (line) => `fault: ${String(line['text'])}`,
  fault_healed: (line) => `over: ${String(line['rule'])}`,
  core_fenced: () => 'fenced',
  core_unfenced: () => 'acts again',
  core_registered: () => 'a core registers',
  process_failed: (line) => `ends: ${String(line['error'])}`,
};

/**
 * Draws a whole cluster's history as a space-time diagram, from the logs of all processes: how each view spread from
 * its leader to its members, who was fenced, and the faults.
 */
export function clusterPicture(title: string, lines: readonly LogLine[]): string {
  const sorted = lines.toSorted((a, b) => a.time - b.time);
  const start = sorted[0]?.time ?? 0;
  const nanos = (line: LogLine): number => (line.time - start) * 1e6;
  const arrows = viewArrows(sorted, nanos);
  const told = sorted.flatMap((line): DiagramMark[] => {
    const text = TOLD[line.event]?.(line);
    const ofCore = typeof line.core === 'number' && !line.event.startsWith('fault_');
    return text === undefined ? [] : [{ at: nanos(line), node: ofCore ? Number(line.core) : null, text }];
  });
  const marks = oncePerMoment(told);
  const cores = new Set(sorted.flatMap(({ core }) => (typeof core === 'number' ? [core] : [])));
  const left = Math.max(0, marks.length - MOST) + Math.max(0, arrows.length - MOST);
  return spaceTimeDiagram({
    title,
    nodes: [...cores].sort((a, b) => a - b).map((id) => ({ id, name: `core ${id}` })),
    arrows: arrows.slice(0, MOST),
    marks: marks.slice(0, MOST),
    leftOut: left === 0 ? 'Times are the processes’ own, to the millisecond.' : `${left} events are left out.`,
  });
}

/** An arrow from where the leader installed a view to where each member did. */
function viewArrows(lines: readonly LogLine[], nanos: (line: LogLine) => number): DiagramArrow[] {
  const installed = lines.filter(({ event, core }) => event === 'view_installed' && typeof core === 'number');
  return installed.flatMap((line): DiagramArrow[] => {
    const [view, leader] = [Number(line['view']), Number(line['leader'])];
    const first = installed.find((other) => other['view'] === view && other.core === leader);
    if (first === undefined || first === line) return [];
    const sentAt = nanos(first);
    const label = `view ${view}`;
    return [
      {
        from: leader,
        to: Number(line.core),
        sentAt,
        dueAt: Math.max(nanos(line), sentAt + 1000),
        label,
        note: '',
        group: label,
      },
    ];
  });
}

/** Every process concerned logs a fault; they share one mark. */
function oncePerMoment(marks: readonly DiagramMark[]): readonly DiagramMark[] {
  const last = new Map<string, number>();
  return marks.filter(({ at, node, text }) => {
    const key = `${node} ${text}`;
    const known = last.get(key);
    last.set(key, at);
    return known === undefined || at - known > 50e6;
  });
}

import type { PeerId } from '@mk/monitor-proto/ids';
import { nodeName, type TraceRecorder } from './recorder.ts';

/**
 * What was recorded as Chrome trace events (Perfetto opens them): a track a node, a slice a turn, a flow arrow a frame.
 * Times are virtual microseconds.
 */
export function chromeTrace({ slices, arrows }: TraceRecorder): string {
  const nodes = new Set<PeerId>([...slices.map((s) => s.node), ...arrows.flatMap((a) => [a.from, a.to])]);
  const rows: unknown[] = [{ ph: 'M', pid: 1, name: 'process_name', args: { name: 'simulated machine' } }];
  for (const id of [...nodes].sort((a, b) => a - b))
    rows.push({ ph: 'M', pid: 1, tid: id, name: 'thread_name', args: { name: nodeName(id) } });
  for (const { node, name, from, to } of slices)
    rows.push({
      ph: 'X',
      pid: 1,
      tid: node,
      name,
      cat: 'step',
      ts: from / 1000,
      dur: Math.max((to - from) / 1000, 0.001),
    });
  for (const { id, from, to, sentAt, dueAt, label, note } of arrows) {
    if (dueAt === null)
      rows.push({
        ph: 'i',
        s: 't',
        pid: 1,
        tid: from,
        name: `lost (${note}): ${label}`,
        cat: 'frame',
        ts: sentAt / 1000,
      });
    else {
      rows.push({ ph: 's', pid: 1, tid: from, id, name: label, cat: 'frame', ts: sentAt / 1000 });
      rows.push({ ph: 'f', bp: 'e', pid: 1, tid: to, id, name: label, cat: 'frame', ts: dueAt / 1000 });
    }
  }
  return `${JSON.stringify({ displayTimeUnit: 'ns', traceEvents: rows })}\n`;
}

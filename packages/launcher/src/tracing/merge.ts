import type { TraceFlow, TraceMark, TracePicture, TraceSlice, TraceSpan } from '@mk/monitor-proto/trace/chrome-trace';
import { nameOf, type ProcessNotes } from './collect.ts';

interface Open {
  readonly track: number;
  readonly at: number;
  readonly message: string;
  readonly op: string;
}

/** Merges all processes' notes into one picture, on the reference core's clock, from 0. */
export function mergeNotes(title: string, processes: readonly ProcessNotes[]): TracePicture {
  const slices: TraceSlice[] = [];
  const spans: TraceSpan[] = [];
  const marks: TraceMark[] = [];
  const sent = new Map<string, Open>();
  const delivered: [key: string, open: Open][] = [];
  const begin = beginOf(processes);
  for (const { peer, entries, offsetNs } of processes) {
    const track = peer + 1; // track 0 is the machine's own
    const at = (time: number): number => Math.max(0, time - offsetNs - begin);
    for (const entry of entries) {
      if (entry[0] === 'slice') slices.push({ track, name: entry[1], from: at(entry[2]), to: at(entry[3]) });
      else if (entry[0] === 'mark') marks.push({ track, name: entry[1], at: at(entry[2]) });
      else if (entry[0] === 'span') {
        const [, name, from, to, op, result] = entry;
        const args = { core: nameOf(peer), result, ...(op !== '' && { op }) };
        spans.push({ track, name: op === '' ? name : `${name} ${op}`, from: at(from), to: at(to), args });
      } else {
        const [way, message, time, key, op] = entry;
        const open = { track, at: at(time), message, op };
        if (way === 'sent') sent.set(key, open);
        else delivered.push([key, open]);
      }
    }
  }
  const tracks = processes.map(({ peer }) => ({ id: peer + 1, name: nameOf(peer) }));
  return { title, tracks, slices, spans, marks, flows: flowsOf(sent, delivered) };
}

/** A message with only one end in the trace has no arrow. */
function flowsOf(sent: ReadonlyMap<string, Open>, delivered: readonly [string, Open][]): readonly TraceFlow[] {
  return delivered.flatMap(([key, { track, at, message, op }]) => {
    const from = sent.get(key);
    if (from === undefined) return [];
    // Clocks agree only within half a round trip: never draw an effect before its cause.
    const to = { track, at: Math.max(at, from.at) };
    return [{ name: message, from: { track: from.track, at: from.at }, to, ...(op !== '' && { args: { op } }) }];
  });
}

/** The earliest moment of any note; they are too many to be arguments of one call. */
function beginOf(processes: readonly ProcessNotes[]): number {
  let begin = Infinity;
  for (const { entries, offsetNs } of processes)
    for (const entry of entries) begin = Math.min(begin, entry[2] - offsetNs);
  return begin;
}

/*
 * Writes Chrome trace events, which Perfetto and chrome://tracing open. Format: "Trace Event Format", Google, 2016. Ids
 * are whole numbers: Perfetto accepts no others for flows.
 */

/** The content of a trace. Times in nanoseconds on one clock. */
export interface TracePicture {
  readonly title: string;
  /** A track per process, in order of their ids. */
  readonly tracks: readonly { readonly id: number; readonly name: string }[];
  /** Turns of a track; slices of one track do not overlap. */
  readonly slices: readonly TraceSlice[];
  /** Operations over several turns, which may overlap. */
  readonly spans: readonly TraceSpan[];
  readonly flows: readonly TraceFlow[];
  readonly marks: readonly TraceMark[];
}

export interface TraceSlice {
  readonly track: number;
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

export interface TraceSpan extends TraceSlice {
  readonly args: Readonly<Record<string, unknown>>;
}

/** A message from one slice to another. */
export interface TraceFlow {
  readonly name: string;
  readonly from: { readonly track: number; readonly at: number };
  readonly to: { readonly track: number; readonly at: number };
  readonly args?: Readonly<Record<string, unknown>>;
}

/** A moment on a track; without a track it concerns the whole machine. */
export interface TraceMark {
  readonly track: number | null;
  readonly at: number;
  readonly name: string;
}

const PROCESS = 1;

export function chromeTrace(picture: TracePicture): string {
  const rows = [
    row('M', 0, { name: 'process_name', args: { name: picture.title } }),
    ...picture.tracks.flatMap(({ id, name }, order) => [
      row('M', id, { name: 'thread_name', args: { name } }),
      row('M', id, { name: 'thread_sort_index', args: { sort_index: order } }),
    ]),
    ...picture.slices.map(({ track, name, from, to }) =>
      row('X', track, { name, cat: 'step', ts: micros(from), dur: Math.max(0.001, micros(to - from)) }),
    ),
    ...picture.spans.flatMap(({ track, name, from, to, args }, i) => [
      row('b', track, { name, cat: 'operation', id: i + 1, ts: micros(from), args }),
      row('e', track, { name, cat: 'operation', id: i + 1, ts: micros(Math.max(from, to)) }),
    ]),
    ...picture.flows.flatMap(({ name, from, to, args }, i) => [
      row('s', from.track, { name, cat: 'message', id: i + 1, ts: micros(from.at), ...(args && { args }) }),
      row('f', to.track, { name, cat: 'message', id: i + 1, ts: micros(to.at), bp: 'e' }),
    ]),
    ...picture.marks.map(({ track, at, name }) =>
      row('i', track ?? 0, { name, cat: 'mark', ts: micros(at), s: track === null ? 'g' : 't' }),
    ),
  ];
  return `{"displayTimeUnit":"ns","traceEvents":[\n${rows.join(',\n')}\n]}\n`;
}

function row(ph: string, tid: number, fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ph, pid: PROCESS, tid, ...fields });
}

/** Microseconds, exact to the nanosecond. */
function micros(ns: number): number {
  return Math.round(ns) / 1000;
}

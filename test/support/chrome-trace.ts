/*
 * A parser of Chrome's trace event format (JSON object form), as strict as its readers: required fields by phase,
 * numbers that are numbers, spans in pairs, arrows from slice to slice, properly nested slices in a track.
 */

interface Event {
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly id: number;
  readonly cat: string;
  readonly s: string;
  readonly bp: string;
  readonly args: Readonly<Record<string, unknown>>;
}

const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  M: { name: 'string', args: 'object' },
  X: { name: 'string', cat: 'string', ts: 'number', dur: 'number' },
  b: { name: 'string', cat: 'string', ts: 'number', id: 'number' },
  e: { name: 'string', cat: 'string', ts: 'number', id: 'number' },
  s: { name: 'string', cat: 'string', ts: 'number', id: 'number' },
  f: { name: 'string', cat: 'string', ts: 'number', id: 'number', bp: 'string' },
  i: { name: 'string', ts: 'number', s: 'string' },
};

export interface ParsedTrace {
  /** By track id. */
  readonly tracks: ReadonlyMap<number, string>;
  readonly slices: readonly Event[];
  readonly spans: readonly { readonly begin: Event; readonly end: Event }[];
  readonly flows: readonly { readonly start: Event; readonly finish: Event }[];
  readonly marks: readonly Event[];
  /** What a reader would reject. */
  readonly faults: readonly string[];
}

export function parseChromeTrace(text: string): ParsedTrace {
  const document = JSON.parse(text) as { readonly traceEvents: readonly Event[] };
  const faults: string[] = [];
  const events = document.traceEvents.filter((event) => wellFormed(event, faults));
  const of = (ph: string): Event[] => events.filter((event) => event.ph === ph);
  const tracks = new Map(
    of('M')
      .filter(({ name }) => name === 'thread_name')
      .map(({ tid, args }) => [tid, String(args['name'])]),
  );
  for (const event of events)
    if (event.ph !== 'M' && event.tid !== 0 && !tracks.has(event.tid)) faults.push(`track ${event.tid} has no name`);
  const slices = of('X');
  checkNesting(slices, faults);
  const spans = pairs(of('b'), of('e'), 'span', faults).map(([begin, end]) => ({ begin, end }));
  const flows = pairs(of('s'), of('f'), 'flow', faults).map(([start, finish]) => ({ start, finish }));
  return { tracks, slices, spans, flows, marks: of('i'), faults };
}

function wellFormed(event: Event, faults: string[]): boolean {
  const fields = FIELDS[event.ph];
  const wrong =
    fields === undefined
      ? ['ph']
      : Object.entries({ ...fields, pid: 'number', tid: 'number' })
          .filter(([name, type]) => typeof (event as unknown as Record<string, unknown>)[name] !== type)
          .map(([name]) => name);
  for (const name of ['ts', 'dur', 'id'] as const) {
    const value = event[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= 0)) wrong.push(name);
  }
  if (event.id !== undefined && !Number.isSafeInteger(event.id)) wrong.push('id');
  if (wrong.length > 0) faults.push(`${JSON.stringify(event)}: ${wrong.join(', ')}`);
  return wrong.length === 0;
}

function checkNesting(slices: readonly Event[], faults: string[]): void {
  const ends = new Map<number, number[]>();
  for (const { tid, ts, dur, name } of slices.toSorted((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    const open = (ends.get(tid) ?? []).filter((end) => end > ts + 1e-3);
    // The least duration is a nanosecond, which rounding may push past the next slice's start.
    if (open.some((end) => end + 2e-3 < ts + dur)) faults.push(`slice ${name} at ${ts} crosses another’s end`);
    ends.set(tid, [...open, ts + dur]);
  }
}

function pairs(begins: Event[], ends: Event[], what: string, faults: string[]): [Event, Event][] {
  const byId = new Map(begins.map((event) => [event.id, event]));
  if (byId.size !== begins.length) faults.push(`two ${what}s have one id`);
  if (begins.length !== ends.length) faults.push(`${begins.length} ${what}s begin and ${ends.length} end`);
  return ends.flatMap((end): [Event, Event][] => {
    const begin = byId.get(end.id);
    if (begin === undefined || begin.ts > end.ts || begin.name !== end.name)
      faults.push(`${what} ${end.id} ends badly`);
    return begin === undefined ? [] : [[begin, end]];
  });
}

/** The slice of a track that contains a moment; undefined if there is none. */
export function sliceAt(slices: readonly Event[], { tid, ts }: Event): Event | undefined {
  return slices.find((slice) => slice.tid === tid && slice.ts - 2e-3 <= ts && ts <= slice.ts + slice.dur + 2e-3);
}

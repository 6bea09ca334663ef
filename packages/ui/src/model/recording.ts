import { isRecord, isText } from '@mk/monitor-proto/guards';
import { isPageEventType, PAGE_VERSION, type Millis, type PageEvent } from './page-events.ts';
import { PageModel } from './page-model.ts';

/** A recorded run: the events that a page received, in order of time. */
export interface Recording {
  readonly events: readonly PageEvent[];
  readonly begin: Millis;
  readonly end: Millis;
  /** Its last line is not whole. */
  readonly isCutOff?: boolean;
}

/** Parses NDJSON; a string is the error. */
export function parseRecording(text: string): Recording | string {
  const numbers = new Map<PageEvent, number>();
  const lines = text.split('\n');
  let isCutOff = false;
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const event = parseEvent(line);
    // Whoever wrote it was killed, or had no room: what is before stands.
    if (event === null && i === lines.length - 1 && numbers.size > 0 && !isJson(line)) isCutOff = true;
    else if (event === null)
      return `line ${i + 1} is not an event of a recording; mkctl ui --record and mk-launch sim --record write them`;
    else numbers.set(event, i + 1);
  }
  const events = [...numbers.keys()];
  const [first] = events;
  if (first === undefined) return 'the recording is empty';
  if (first.type !== 'hello') return 'the recording does not begin with hello; is it one of mk?';
  if (first.version !== PAGE_VERSION)
    return `the recording has version ${first.version}; this page reads version ${PAGE_VERSION}`;
  const recording = { ...recordingOf(events), isCutOff };
  const damaged = firstDamaged(recording.events);
  return damaged === null ? recording : `line ${numbers.get(damaged)} is damaged: it cannot be shown`;
}

/** The first event that no page could take in: it has the type of one, and not its fields. */
function firstDamaged(events: readonly PageEvent[]): PageEvent | null {
  const model = new PageModel();
  for (const event of events) {
    try {
      model.apply(event);
    } catch {
      return event;
    }
  }
  return null;
}

/** Events as a recording; the first is hello. */
export function recordingOf(events: readonly PageEvent[]): Recording {
  // A hello is sent when the page opens; kept lines are older.
  const first = ({ type, t }: PageEvent): number => (type === 'hello' ? -Infinity : t);
  const sorted = [...events].sort((a, b) => (first(a) === first(b) ? 0 : first(a) - first(b)));
  const begin = sorted.find(({ type }) => type !== 'hello')?.t ?? sorted[0]?.t ?? 0;
  return { events: sorted, begin, end: sorted.at(-1)?.t ?? begin };
}

/** Plays a recording forwards with time, and from its beginning when it is set back. */
export class Player {
  model = new PageModel();
  private next = 0;

  constructor(readonly recording: Recording) {}

  /** Brings the model to this time; true if that took a new model. */
  seek(t: Millis): boolean {
    const back = t < this.model.now;
    if (back) {
      this.model = new PageModel();
      this.next = 0;
    }
    const { events } = this.recording;
    for (let event = events[this.next]; event !== undefined; event = events[this.next]) {
      if (event.t > t && event.type !== 'hello') break;
      this.model.apply(event);
      this.next += 1;
    }
    this.model.now = t;
    return back;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseEvent(line: string): PageEvent | null {
  try {
    const event: unknown = JSON.parse(line);
    return isPageEvent(event) ? event : null;
  } catch {
    return null;
  }
}

function isPageEvent(value: unknown): value is PageEvent {
  return isRecord(value) && isText(value['type']) && isPageEventType(value['type']) && Number.isFinite(value['t']);
}

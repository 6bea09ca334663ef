import { isRecord, isText } from '@mk/monitor-proto/guards';
import { isPageEventType, PAGE_VERSION, type Millis, type PageEvent } from './page-events.ts';
import { PageModel } from './page-model.ts';

/** A recorded run: what a page was told, in order of time. */
export interface Recording {
  readonly events: readonly PageEvent[];
  readonly begin: Millis;
  readonly end: Millis;
}

/** Parses NDJSON; returns a text that says what is wrong. */
export function parseRecording(text: string): Recording | string {
  const events: PageEvent[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const event = parseEvent(line);
    if (event === null)
      return `line ${i + 1} is no event of a recording; mkctl ui --record and mk-launch sim --record write them`;
    events.push(event);
  }
  const [first] = events;
  if (first === undefined) return 'the recording is empty';
  if (first.type !== 'hello') return 'the recording does not begin with hello; is it one of mk?';
  if (first.version !== PAGE_VERSION)
    return `the recording has version ${first.version}; this page reads version ${PAGE_VERSION}`;
  return recordingOf(events);
}

/** Events as a recording; the first is hello. */
export function recordingOf(events: readonly PageEvent[]): Recording {
  // A hello is sent when the page opens, and kept lines are older.
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

  /** Brings the model to this time. True when it is a new model. */
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

function parseEvent(line: string): PageEvent | null {
  try {
    const event: unknown = JSON.parse(line);
    return isPageEvent(event) ? event : null;
  } catch {
    return null;
  }
}

function isPageEvent(value: unknown): value is PageEvent {
  return isRecord(value) && isText(value['type']) && isPageEventType(value['type']) && typeof value['t'] === 'number';
}

import { known } from '../assert.ts';
import type { MessageTap } from '../endpoint/message-trace.ts';
import type { LogEventName, LogFields } from '../log-events.ts';
import { LOG_EVENTS } from '../log-events.ts';
import type { TraceEntry, TraceNotes } from '../trace/entries.ts';
import { nowNs } from './clock.ts';

/** Events worth a mark although they are not warnings. */
const MARKS: ReadonlySet<string> = new Set(['fault_applied', 'fault_healed', 'peer_gone', 'peer_heard', 'core_ready']);
/** Message types named on a slice; a frame may carry hundreds of messages. */
const NAMED_TYPES = 3;

type Kind = TraceEntry[0];

/**
 * Records what a process does in a ring; counts overwritten notes. The ring is columns, so that a note allocates
 * nothing: a message costs a few stores. Messages of a turn carry the turn's start time, because reading a clock for
 * each would cost more than the notes.
 */
export class Tracer implements MessageTap {
  private readonly kinds: Kind[] = [];
  private readonly names: string[] = [];
  private readonly froms: Float64Array;
  private readonly tos: Float64Array;
  /** The channel of a message, the operation of a span. */
  private readonly whose: string[] = [];
  /** The operation of a message, the result of a span. */
  private readonly details: string[] = [];
  private readonly lanes: Uint8Array;
  private readonly numbers: Float64Array;
  private count = 0;
  private startedAt = 0;
  private types: string[] = [];
  /** Control requests under way: their verbs and start times. */
  private readonly requests = new Map<number, readonly [verb: string, at: number]>();

  constructor(private readonly entries: number) {
    this.froms = new Float64Array(entries);
    this.tos = new Float64Array(entries);
    this.lanes = new Uint8Array(entries);
    this.numbers = new Float64Array(entries);
  }

  begin(): void {
    this.startedAt = nowNs();
    this.types.length = 0;
  }

  /** The event has been handled and its effects performed. */
  end(event: string): void {
    const name = this.types.length === 0 ? event : this.types.join(', ');
    this.note('slice', name, this.startedAt, nowNs(), '', '');
  }

  message(way: 'sent' | 'delivered', type: string, channel: string, lane: number, number: number, op: string): void {
    if (way === 'delivered' && this.types.length < NAMED_TYPES && !this.types.includes(type)) this.types.push(type);
    const at = this.note(way, type, this.startedAt, this.startedAt, channel, op);
    this.lanes[at] = lane;
    this.numbers[at] = number;
  }

  asked(id: number, verb: string): void {
    this.requests.set(id, [verb, nowNs()]);
  }

  answered(id: number, result: string): void {
    const request = this.requests.get(id);
    this.requests.delete(id);
    if (request !== undefined) this.note('span', request[0], request[1], nowNs(), '', result);
  }

  /** Notes a log line that reports an operation's end, or a moment worth a mark. */
  logged(event: LogEventName, fields: LogFields): void {
    const { op = '', elapsed_us: elapsedUs, kind, plan, phases, result = '' } = fields;
    if (typeof elapsedUs === 'number' && op !== '') {
      const name = plan === undefined ? String(kind) : `${String(plan)} round, ${String(phases)}-phase`;
      const now = nowNs();
      this.note('span', name, now - elapsedUs * 1000, now, String(op), String(result));
    }
    const { level } = LOG_EVENTS[event];
    if (level === 'warn' || level === 'error' || MARKS.has(event))
      this.note('mark', markText(event, fields), nowNs(), 0, '', '');
  }

  notes(): TraceNotes {
    const lost = Math.max(0, this.count - this.entries);
    const entries = Array.from({ length: this.count - lost }, (_, i) => this.entry((lost + i) % this.entries));
    return { entries, lost };
  }

  private note(kind: Kind, name: string, from: number, to: number, whose: string, detail: string): number {
    const at = this.count++ % this.entries;
    this.kinds[at] = kind;
    this.names[at] = name;
    this.froms[at] = from;
    this.tos[at] = to;
    this.whose[at] = whose;
    this.details[at] = detail;
    return at;
  }

  private entry(at: number): TraceEntry {
    const [kind, name, from, to] = [
      known(this.kinds[at]),
      known(this.names[at]),
      known(this.froms[at]),
      known(this.tos[at]),
    ];
    const [whose, detail] = [known(this.whose[at]), known(this.details[at])];
    if (kind === 'slice') return [kind, name, from, to];
    if (kind === 'mark') return [kind, name, from];
    if (kind === 'span') return [kind, name, from, to, whose, detail];
    return [kind, name, from, `${whose}/${this.lanes[at]}/${this.numbers[at]}`, detail];
  }
}

function markText(event: string, fields: LogFields): string {
  const { text, rule, peer, member } = fields;
  const about = text ?? rule ?? peer ?? member;
  return about === undefined ? event : `${event}: ${String(about).slice(0, 120)}`;
}

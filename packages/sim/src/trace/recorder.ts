import { known } from '@mk/monitor-proto/assert';
import { type Nanos, type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import { decodeMessage } from '@mk/monitor-proto/messages/codec';
import { decodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { FRAME } from '@mk/monitor-proto/urpc/frames';
import type { FrameFate } from '../network/network.ts';
import type { AnyEvent, SimNode } from '../engine/sim-node.ts';
import type { SimObserver } from '../engine/simulation-options.ts';
import type { SimLogLine } from '../engine/sim-log.ts';

/** One turn of a node. */
export interface Slice {
  readonly node: PeerId;
  readonly name: string;
  readonly from: Nanos;
  readonly to: Nanos;
}

/** One frame on its way. */
export interface Arrow {
  readonly id: number;
  readonly from: PeerId;
  readonly to: PeerId;
  readonly sentAt: Nanos;
  /** Null: it never arrives, and `note` says why. */
  readonly dueAt: Nanos | null;
  readonly note: string;
  /** Its contents: message types, with the operation where there is one; `ack` for none. */
  readonly label: string;
  /** Whether it carries more than acks and handshakes. */
  readonly telling: boolean;
}

/** The beginning or end of a fault, or the end of a node. */
export interface Mark {
  readonly at: Nanos;
  /** Null: it concerns several nodes. */
  readonly node: PeerId | null;
  readonly text: string;
  /** The fault that begins or ends; empty for a node's end. */
  readonly fault: string;
  readonly ends: boolean;
}

/** Keeps a run's latest turns and frames for drawing. In rings: a long run costs no more than a short one. */
export class TraceRecorder implements SimObserver {
  readonly slices: Slice[] = [];
  readonly arrows: Arrow[] = [];
  readonly lines: SimLogLine[] = [];
  /** Beginnings and ends of faults, and deaths: they explain the rest, so nothing pushes them out. */
  readonly marks: Mark[] = [];
  private nextId = 1;
  private lastAt: Nanos = 0;

  constructor(private readonly keep = 200_000) {}

  step(node: SimNode, event: AnyEvent, startedAt: Nanos, endedAt: Nanos): void {
    this.lastAt = startedAt;
    const name = event.type === 'frame_received' ? labelOf(event.frame).label : event.type;
    push(this.slices, { node: node.id, name, from: startedAt, to: endedAt }, this.keep);
  }

  frame(from: SimNode, to: SimNode, at: Nanos, frame: Uint8Array, fate: FrameFate): void {
    const sent = fate.kind === 'sent';
    const arrow = {
      id: this.nextId++,
      from: from.id,
      to: to.id,
      sentAt: at,
      dueAt: sent ? fate.dueAt : null,
      note: sent ? '' : fate.reason,
      ...labelOf(frame),
    };
    push(this.arrows, arrow, this.keep);
  }

  line(line: SimLogLine): void {
    push(this.lines, line, this.keep);
  }

  faultLine(line: SimLogLine): void {
    this.lastAt = line.time * 1e6;
    push(this.lines, line, this.keep);
    const { event, time } = line;
    const text = event === 'fault_applied' ? String(line['text']) : `end of ${String(line['rule'])}`;
    const fault = String(line['rule']);
    push(this.marks, { at: time * 1e6, node: null, text, fault, ends: event === 'fault_healed' }, this.keep);
  }

  died(node: SimNode, cause: string): void {
    const text = `${nodeName(node.id)} ended: ${cause}`;
    push(this.marks, { at: this.lastAt, node: node.id, text, fault: '', ends: true }, this.keep);
  }
}

const KIND_NAMES = Object.fromEntries(Object.entries(FRAME).map(([name, kind]) => [kind, name]));

function labelOf(bytes: Uint8Array): { readonly label: string; readonly telling: boolean } {
  const frame = decodeFrame(bytes);
  if (typeof frame === 'string') return { label: 'garbage', telling: true };
  if (frame.kind !== FRAME.data) return { label: known(KIND_NAMES[frame.kind]), telling: false };
  const counts = new Map<string, number>();
  for (const { messages } of frame.batches) {
    for (const wire of messages) {
      const message = decodeMessage(wire);
      const name =
        typeof message === 'string' ? 'garbage' : 'op' in message ? `${message.type} ${message.op}` : message.type;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  if (counts.size === 0) return { label: 'ack', telling: false };
  const label = [...counts].map(([name, count]) => (count === 1 ? name : `${count} ${name}`)).join(', ');
  return { label, telling: true };
}

/** A node's name in drawings. */
export function nodeName(id: PeerId): string {
  return id === SKB_PEER ? 'skb' : `core ${id}`;
}

function push<T>(ring: T[], item: T, keep: number): void {
  ring.push(item);
  if (ring.length >= 2 * keep) ring.splice(0, ring.length - keep);
}

import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { FloodResult } from '../../control/verb-answers.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, type Resume, type Wait, wait } from '../operations.ts';
import { Pending } from '../pending.ts';
import { timeNow } from '../waits.ts';

const HOLES_MOST = limit('floodHoles');
const STREAMS_MOST = limit('floodStreams');

interface Stream {
  next: number;
  received: number;
  doubled: number;
  reordered: number;
  readonly seen: Set<number>;
}

/** Numbered messages as fast as the channel takes them: measures throughput and exactly-once delivery. */
export class Flood {
  /** Streams under way, by sender and the sender's number for them. */
  private readonly streams = new Map<CoreId, Map<number, Stream>>();
  private readonly results = new Pending<number, readonly [result: MessageOf<'flood_result'>, at: Nanos]>();
  private readonly blocked = new Map<CoreId, Resume<void>[]>();
  private nextStream = 1;

  constructor(private readonly context: MonitorContext) {}

  /** Sends `count` messages with a payload of so many bytes; ends when the receiver has reported its counts. */
  *run(core: CoreId, count: number, payloadBytes: number): Operation<FloodResult> {
    const stream = this.nextStream++ >>> 0;
    const payload = new Uint8Array(payloadBytes).fill(0x6d);
    let busy = 0;
    const startedAt = yield* timeNow();
    for (let number = 1; number <= count;) {
      const error = this.context.send(core, { type: 'flood', stream, number, payload });
      if (error === null) number += 1;
      else if (error === 'BUSY') {
        busy += 1;
        yield* wait(this.room(core));
      } else throw new OperationError(error, `core ${core} cannot be flooded`);
    }
    while (this.context.send(core, { type: 'flood_end', stream, count }) === 'BUSY') yield* wait(this.room(core));
    const [result, now] = yield* wait(this.results.answerOf(stream, core));
    const { received, lost, doubled, reordered } = result;
    return { sent: count, received, lost, doubled, reordered, elapsedNs: now - startedAt, busy };
  }

  onMessage(from: CoreId, message: MessageOf<'flood'>): void {
    const stream = this.streamOf(from, message.stream);
    if (message.number === stream.next) {
      stream.next += 1;
      stream.received += 1;
    } else this.outOfOrder(stream, message.number);
  }

  onEnd(from: CoreId, end: MessageOf<'flood_end'>): void {
    const stream = this.streamOf(from, end.stream);
    this.streams.get(from)?.delete(end.stream);
    const { received, doubled, reordered } = stream;
    this.context.send(from, {
      type: 'flood_result',
      stream: end.stream,
      received,
      lost: Math.max(0, end.count - received),
      doubled,
      reordered,
    });
  }

  onResult(from: CoreId, result: MessageOf<'flood_result'>, now: Nanos): void {
    this.results.answered(result.stream, from, [result, now], now);
  }

  sendable(core: CoreId, now: Nanos): void {
    const waiting = this.blocked.get(core);
    this.blocked.delete(core);
    for (const resume of waiting ?? []) resume(undefined, now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    const gone = new OperationError('PEER_GONE', `core ${core} is gone`);
    for (const resume of this.blocked.get(core) ?? []) resume(gone, now);
    this.blocked.delete(core);
    this.results.peerGone(core, now);
    this.streams.delete(core);
  }

  private streamOf(from: CoreId, id: number): Stream {
    let ofSender = this.streams.get(from);
    if (ofSender === undefined) this.streams.set(from, (ofSender = new Map()));
    let stream = ofSender.get(id);
    if (stream === undefined) {
      const [oldest] = ofSender.keys();
      if (oldest !== undefined && ofSender.size >= STREAMS_MOST) ofSender.delete(oldest);
      ofSender.set(id, (stream = { next: 1, received: 0, doubled: 0, reordered: 0, seen: new Set() }));
    }
    return stream;
  }

  /** Never on a sound channel: a repeated message was seen before, one that jumped ahead leaves a hole. */
  private outOfOrder(stream: Stream, number: number): void {
    if (number < stream.next && !stream.seen.delete(number)) {
      stream.doubled += 1;
      return;
    }
    stream.reordered += 1;
    stream.received += 1;
    // Remembers only a bounded part of the numbers that a peer leaves out: it may claim any number.
    const last = Math.min(number, stream.next + HOLES_MOST - stream.seen.size);
    for (let hole = stream.next; hole < last; hole++) stream.seen.add(hole);
    if (number >= stream.next) stream.next = number + 1;
  }

  private room(core: CoreId): Wait<void> {
    return {
      arm: (resume) => {
        const waiting = this.blocked.get(core) ?? [];
        waiting.push(resume);
        this.blocked.set(core, waiting);
        return () => undefined;
      },
    };
  }
}

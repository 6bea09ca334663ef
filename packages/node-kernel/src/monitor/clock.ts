import type { Nanos, PeerId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from './context.ts';
import { answerIn, type Operation, OperationError, type Resume } from './operations.ts';

/** A peer's clock against ours. */
export interface ClockOffset {
  /** Add it to our time to get the peer's; nanoseconds. */
  readonly offsetNs: Nanos;
  /** The round trip of the exchange: the offset is right within half of it. */
  readonly roundTripNs: Nanos;
}

/** Clock-offset exchange: ((t1−t0)+(t2−t3))/2, as Barrelfish's tracing does it; of several exchanges the shortest counts. */
export class ClockSync {
  private readonly waiting = new Map<number, Resume>();
  private nextId = 1;

  constructor(private readonly context: MonitorContext) {}

  onRequest(from: PeerId, request: MessageOf<'clock_request'>, now: Nanos): void {
    this.context.send(from, { type: 'clock_reply', id: request.id, t0: request.t0, t1: now, t2: now });
  }

  onReply(reply: MessageOf<'clock_reply'>, now: Nanos): void {
    this.waiting.get(reply.id)?.([reply, now], now);
  }

  /** Exchanges a few times with a peer and keeps the exchange with the shortest round trip. */
  *offsetOf(peer: PeerId, exchanges: number): Operation<ClockOffset> {
    let best: ClockOffset | null = null;
    for (let i = 0; i < exchanges; i++) {
      const sample = yield* this.exchange(peer);
      if (best === null || sample.roundTripNs < best.roundTripNs) best = sample;
    }
    if (best === null) throw new OperationError('BAD_REQUEST', 'a clock exchange needs at least one message');
    this.context.outbox.log('clock_offset', { peer, offset_ns: best.offsetNs });
    return best;
  }

  private *exchange(peer: PeerId): Operation<ClockOffset> {
    const id = this.nextId++ >>> 0;
    const answer = yield {
      arm: (resume, now) => {
        const error = this.context.send(peer, { type: 'clock_request', id, t0: now });
        if (error !== null) resume(new OperationError(error, `peer ${peer} has no clock to compare`), now);
        const wait = answerIn(this.context.timers, now + limit('operationDeadlineNs'), `peer ${peer} did not tell its time`, (slot) => {
          this.waiting.set(id, slot);
          return () => this.waiting.delete(id);
        });
        return wait.arm(resume, now);
      },
    };
    const [{ t0, t1, t2 }, t3] = answer as [MessageOf<'clock_reply'>, Nanos];
    return { offsetNs: (t1 - t0 + (t2 - t3)) / 2, roundTripNs: t3 - t0 - (t2 - t1) };
  }
}

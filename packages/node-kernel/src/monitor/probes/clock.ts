import type { Nanos, PeerId } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { ClockOffset } from '../../control/verb-answers.ts';
import { Answers } from '../answers.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError } from '../operations.ts';

/** Clock-offset exchange: ((t1−t0)+(t2−t3))/2, as in Barrelfish's tracing; of several exchanges the shortest counts. */
export class ClockSync {
  private readonly answers: Answers<MessageOf<'clock_reply'>>;

  constructor(private readonly context: MonitorContext) {
    this.answers = new Answers(context, 'did not tell its time');
  }

  onRequest(from: PeerId, request: MessageOf<'clock_request'>, now: Nanos): void {
    this.context.send(from, { type: 'clock_reply', id: request.id, t0: request.t0, t1: now, t2: now });
  }

  onReply(from: PeerId, reply: MessageOf<'clock_reply'>, now: Nanos): void {
    this.answers.answered(from, reply.id, reply, now);
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
    const id = this.answers.nextId();
    // t0 is our time when the request leaves, which within a step is when it is made.
    const {
      answer,
      sentAt: t0,
      receivedAt: t3,
    } = yield* this.answers.ask(peer, id, { type: 'clock_request', id, t0: this.context.now });
    const { t1, t2 } = answer;
    return { offsetNs: (t1 - t0 + (t2 - t3)) / 2, roundTripNs: t3 - t0 - (t2 - t1) };
  }
}

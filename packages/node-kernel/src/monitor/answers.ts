import { isCore, type Nanos, type PeerId, peerTitle } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from './context.ts';
import { answerIn, type Operation, OperationError, wait } from './operations.ts';
import { Pending } from './pending.ts';

/** An answer, and how long it took. */
export interface Answered<T> {
  readonly answer: T;
  readonly sentAt: Nanos;
  readonly receivedAt: Nanos;
}

/** Requests that a peer answers with a message of the same number. */
export class Answers<T> {
  private readonly pending = new Pending<number, readonly [answer: T, receivedAt: Nanos]>();
  private lastId = 0;
  private wrapped = false;

  /** `unheard`: the meaning of a missing answer, as in “core 3 `did not answer a ping`”. */
  constructor(
    private readonly context: MonitorContext,
    private readonly unheard: string,
  ) {}

  nextId(): number {
    this.lastId = (this.lastId + 1) >>> 0;
    this.wrapped ||= this.lastId === 0;
    return this.lastId;
  }

  answered(from: PeerId, id: number, answer: T, now: Nanos): void {
    if (id > this.lastId && !this.wrapped && isCore(from))
      this.context.offences.note(from, 'unasked', `answers question ${id} of ${this.lastId}`, now);
    this.pending.answered(id, from, [answer, now], now);
  }

  peerGone(peer: PeerId, now: Nanos): void {
    this.pending.peerGone(peer, now);
  }

  /** Sends a request and waits for its answer. Ends in PEER_UNKNOWN, BUSY, PEER_GONE or OPERATION_TIMEOUT. */
  *ask(peer: PeerId, id: number, message: Message): Operation<Answered<T>> {
    let sentAt: Nanos = 0;
    const { timers } = this.context;
    const [answer, receivedAt] = yield* wait<readonly [T, Nanos]>({
      arm: (resume, now) => {
        sentAt = now;
        const error = this.context.send(peer, message);
        if (error !== null) resume(new OperationError(error, `${peerTitle(peer)} cannot be sent ${message.type}`), now);
        const what = `${peerTitle(peer)} ${this.unheard}`;
        const deadline = now + limit('operationDeadlineNs');
        const answered = answerIn<readonly [T, Nanos]>(timers, deadline, what, (slot) =>
          this.pending.expect(id, peer, slot),
        );
        return answered.arm(resume, now);
      },
    });
    return { answer, sentAt, receivedAt };
  }
}

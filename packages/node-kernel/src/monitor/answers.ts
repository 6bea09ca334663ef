import { type Nanos, NO_CORE, type PeerId, peerName } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from './context.ts';
import { answerIn, type Operation, OperationError, type Resume } from './operations.ts';

/** An answer, and the time from the request to it. */
export interface Answered<T> {
  readonly answer: T;
  readonly sentAt: Nanos;
  readonly receivedAt: Nanos;
}

/** Requests that a peer answers with a message that bears the request's number. */
export class Answers<T> {
  private readonly waiting = new Map<number, { readonly peer: PeerId; readonly resume: Resume }>();
  private lastId = 0;

  /** `unheard`: what it means that nobody answered, as in “core 3 `did not answer a ping`”. */
  constructor(
    private readonly context: MonitorContext,
    private readonly unheard: string,
  ) {}

  nextId(): number {
    this.lastId = (this.lastId + 1) >>> 0;
    return this.lastId;
  }

  answered(from: PeerId, id: number, answer: T, now: Nanos): void {
    const waiting = this.waiting.get(id);
    if (waiting?.peer === from) waiting.resume([answer, now], now);
  }

  peerGone(peer: PeerId, now: Nanos): void {
    for (const waiting of [...this.waiting.values()]) {
      if (waiting.peer === peer) waiting.resume(new OperationError('PEER_GONE', `${nameOf(peer)} is gone`), now);
    }
  }

  /** Sends a request and waits for its answer. Ends in PEER_UNKNOWN, BUSY, PEER_GONE or OPERATION_TIMEOUT. */
  *ask(peer: PeerId, id: number, message: Message): Operation<Answered<T>> {
    let sentAt: Nanos = 0;
    const received = yield {
      arm: (resume, now) => {
        sentAt = now;
        const error = this.context.send(peer, message);
        if (error !== null) resume(new OperationError(error, `${nameOf(peer)} cannot be sent ${message.type}`), now);
        const wait = answerIn(
          this.context.timers,
          now + limit('operationDeadlineNs'),
          `${nameOf(peer)} ${this.unheard}`,
          (slot) => {
            this.waiting.set(id, { peer, resume: slot });
            return () => this.waiting.delete(id);
          },
        );
        return wait.arm(resume, now);
      },
    };
    const [answer, receivedAt] = received as [T, Nanos];
    return { answer, sentAt, receivedAt };
  }
}

function nameOf(peer: PeerId): string {
  return peer < NO_CORE ? `core ${peer}` : `peer ${peerName(peer)}`;
}

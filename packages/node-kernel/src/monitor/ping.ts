import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from './context.ts';
import { answerIn, type Operation, OperationError, type Resume, sleepUntil } from './operations.ts';
import { RunningStatistics } from './statistics.ts';

/** Round trips to the other monitors: single pings, series of them, and what all of them came to. */
export class Ping {
  /** Statistics of every ping answered so far, by core; nanoseconds. */
  readonly byCore = new Map<CoreId, RunningStatistics>();
  private readonly waiting = new Map<number, { readonly core: CoreId; readonly resume: Resume }>();
  private nextId = 1;

  constructor(private readonly context: MonitorContext) {}

  onRequest(from: CoreId, request: MessageOf<'ping_request'>): void {
    this.context.send(from, { type: 'ping_reply', id: request.id, payload: request.payload });
  }

  onReply(from: CoreId, reply: MessageOf<'ping_reply'>, now: Nanos): void {
    const waiting = this.waiting.get(reply.id);
    if (waiting?.core === from) waiting.resume(now, now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    for (const waiting of [...this.waiting.values()]) {
      if (waiting.core === core) waiting.resume(new OperationError('PEER_GONE', `core ${core} is gone`), now);
    }
  }

  /** One round trip to a core, in nanoseconds. Ends in PEER_UNKNOWN, BUSY, PEER_GONE or OPERATION_TIMEOUT. */
  *once(core: CoreId, payload: Uint8Array): Operation<Nanos> {
    const id = this.nextId++ >>> 0;
    let sentAt: Nanos = 0;
    const reply = yield {
      arm: (resume, now) => {
        sentAt = now;
        const error = this.context.send(core, { type: 'ping_request', id, payload });
        if (error !== null) resume(new OperationError(error, `core ${core} cannot be pinged`), now);
        const deadline = now + limit('operationDeadlineNs');
        const wait = answerIn(this.context.timers, deadline, `core ${core} did not answer a ping`, (answer) => {
          this.waiting.set(id, { core, resume: answer });
          return () => this.waiting.delete(id);
        });
        return wait.arm(resume, now);
      },
    };
    const roundTrip = (reply as Nanos) - sentAt;
    this.record(core, roundTrip);
    return roundTrip;
  }

  /** A series of pings, one after the other, with a pause between them. */
  *series(core: CoreId, count: number, payload: Uint8Array, pauseNs: Nanos): Operation<readonly Nanos[]> {
    const samples: Nanos[] = [];
    for (let i = 0; i < count; i++) {
      samples.push(yield* this.once(core, payload));
      if (pauseNs > 0) yield { arm: (resume, now) => sleepUntil(this.context.timers, now + pauseNs).arm(resume, now) };
    }
    return samples;
  }

  private record(core: CoreId, roundTrip: Nanos): void {
    let statistics = this.byCore.get(core);
    if (statistics === undefined) this.byCore.set(core, (statistics = new RunningStatistics()));
    statistics.add(roundTrip);
  }
}

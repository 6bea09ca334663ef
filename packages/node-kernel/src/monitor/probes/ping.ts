import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { Answers } from '../answers.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, sleepUntil, wait } from '../operations.ts';
import { RunningStatistics } from './statistics.ts';

/** Round trips to the other monitors: single pings, series of them, and what all of them came to. */
export class Ping {
  /** Statistics of every ping answered so far, by core; nanoseconds. */
  readonly byCore = new Map<CoreId, RunningStatistics>();
  private readonly answers: Answers<null>;

  constructor(private readonly context: MonitorContext) {
    this.answers = new Answers(context, 'did not answer a ping');
  }

  onRequest(from: CoreId, request: MessageOf<'ping_request'>): void {
    this.context.send(from, { type: 'ping_reply', id: request.id, payload: request.payload });
  }

  onReply(from: CoreId, reply: MessageOf<'ping_reply'>, now: Nanos): void {
    this.answers.answered(from, reply.id, null, now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    this.answers.peerGone(core, now);
  }

  /** One round trip to a core, in nanoseconds. Ends in PEER_UNKNOWN, BUSY, PEER_GONE or OPERATION_TIMEOUT. */
  *once(core: CoreId, payload: Uint8Array): Operation<Nanos> {
    const id = this.answers.nextId();
    const { sentAt, receivedAt } = yield* this.answers.ask(core, id, { type: 'ping_request', id, payload });
    this.record(core, receivedAt - sentAt);
    return receivedAt - sentAt;
  }

  /** A series of pings, one after the other, with a pause between them. */
  *series(core: CoreId, count: number, payload: Uint8Array, pauseNs: Nanos): Operation<readonly Nanos[]> {
    const samples: Nanos[] = [];
    for (let i = 0; i < count; i++) {
      samples.push(yield* this.once(core, payload));
      if (pauseNs > 0)
        yield* wait<void>({ arm: (resume, now) => sleepUntil(this.context.timers, now + pauseNs).arm(resume, now) });
    }
    return samples;
  }

  private record(core: CoreId, roundTrip: Nanos): void {
    let statistics = this.byCore.get(core);
    if (statistics === undefined) this.byCore.set(core, (statistics = new RunningStatistics()));
    statistics.add(roundTrip);
  }
}

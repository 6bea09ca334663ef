import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { Histogram, type MetricFamily } from '@mk/monitor-proto/metrics';
import { Answers } from '../answers.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, sleepUntil, wait } from '../operations.ts';
import { RunningStatistics } from '../statistics.ts';

const BOUNDS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Round trips to the other monitors: single pings, series, and their statistics. */
export class Ping {
  /** Statistics of every ping answered so far, by core; nanoseconds. */
  readonly byCore = new Map<CoreId, RunningStatistics>();
  private readonly answers: Answers<null>;
  private readonly trips = new Histogram(BOUNDS_SECONDS);

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

  /** A series of pings, one after another, with a pause between them. */
  *series(core: CoreId, count: number, payload: Uint8Array, pauseNs: Nanos): Operation<readonly Nanos[]> {
    const samples: Nanos[] = [];
    for (let i = 0; i < count; i++) {
      samples.push(yield* this.once(core, payload));
      if (pauseNs > 0)
        yield* wait<void>({ arm: (resume, now) => sleepUntil(this.context.timers, now + pauseNs).arm(resume, now) });
    }
    return samples;
  }

  metrics(): readonly MetricFamily[] {
    return [
      {
        name: 'mk_ping_round_trip_seconds',
        type: 'histogram',
        help: 'Round trips of the pings that this core was asked for.',
        samples: this.trips.samples({}),
      },
    ];
  }

  private record(core: CoreId, roundTrip: Nanos): void {
    let statistics = this.byCore.get(core);
    if (statistics === undefined) this.byCore.set(core, (statistics = new RunningStatistics()));
    statistics.add(roundTrip);
    this.trips.observe(roundTrip / 1e9);
  }
}

import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { Answers } from './answers.ts';
import type { MonitorContext } from './context.ts';
import { type Operation, OperationError } from './operations.ts';
import { RunningStatistics } from './statistics.ts';

type Volley = MessageOf<'volley'>;

/** Round trips in nanoseconds: both directions of one pair. */
export interface Rallied {
  readonly there: Spread;
  readonly back: Spread;
}

/** A series of round trips as its four figures; nanoseconds. */
export interface Spread {
  readonly average: Nanos;
  readonly variance: number;
  readonly min: Nanos;
  readonly max: Nanos;
}

const NOTHING: readonly number[] = [];

/**
 * Measures the round trips of both ends of a link with the same messages: each volley that one end sends answers the
 * other's. Half the messages of two series of pings, and a process that must be woken is woken once for both.
 *
 * The server sends the odd numbers left, the receiver the even ones; the first volley each way only warms the path; the
 * last, with none left, tells the server what the receiver measured.
 */
export class Rally {
  private readonly answers: Answers<Volley>;
  private readonly receiving = new Map<CoreId, { readonly id: number; sentAt: Nanos; readonly trips: RunningStatistics }>();

  /** `measured`: told when this end has received a whole rally. */
  constructor(
    private readonly context: MonitorContext,
    private readonly measured: (core: CoreId, trips: Spread) => void,
  ) {
    this.answers = new Answers(context, 'did not return a volley');
  }

  /** Serves: `samples` round trips for each end. Ends in PEER_UNKNOWN, BUSY, PEER_GONE or OPERATION_TIMEOUT. */
  *play(core: CoreId, samples: number): Operation<Rallied> {
    const id = this.answers.nextId();
    const there = new RunningStatistics();
    let back = NOTHING;
    for (let left = 2 * samples + 1; left > 0; left -= 2) {
      const { answer, sentAt, receivedAt } = yield* this.answers.ask(core, id, { type: 'volley', id, left, back: NOTHING });
      if (left <= 2 * samples) there.add(receivedAt - sentAt);
      back = answer.back;
    }
    const [average, variance, min, max] = back;
    if (average === undefined || variance === undefined || min === undefined || max === undefined) throw new OperationError('OUT_OF_PLACE', `core ${core} ended a rally without its figures`);
    return { there, back: { average, variance, min, max } };
  }

  onVolley(from: CoreId, volley: Volley, now: Nanos): void {
    if (volley.left % 2 === 0) this.answers.answered(from, volley.id, volley, now);
    else this.receive(from, volley, now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    this.receiving.delete(core);
    this.answers.peerGone(core, now);
  }

  private receive(from: CoreId, { id, left }: Volley, now: Nanos): void {
    const known = this.receiving.get(from);
    const rally = known?.id === id ? known : { id, sentAt: 0, trips: new RunningStatistics() };
    if (rally === known) rally.trips.add(now - rally.sentAt);
    rally.sentAt = now;
    if (left > 1) {
      this.receiving.set(from, rally);
      this.context.send(from, { type: 'volley', id, left: left - 1, back: NOTHING });
      return;
    }
    this.receiving.delete(from);
    const { trips } = rally;
    this.context.send(from, { type: 'volley', id, left: 0, back: [trips.average, trips.variance, trips.min, trips.max] });
    this.measured(from, trips);
  }
}

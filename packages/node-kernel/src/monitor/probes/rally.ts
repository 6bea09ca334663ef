import { known } from '@mk/monitor-proto/assert';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import { type CorePeer, isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import { type CoreId, isCore, MILLISECOND, type Nanos, peerName } from '@mk/monitor-proto/ids';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import { limit } from '@mk/monitor-proto/limits';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import { FRAME, type VolleyFigures, type VolleyFrame } from '@mk/monitor-proto/urpc/frames';
import { RunningStatistics } from '../statistics.ts';

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

/** Called once with a rally's outcome; null: the other core is absent, left, or did not answer in time. */
export type RallyEnd = (rallied: Rallied | null, now: Nanos) => void;

/** A rally that this core serves. */
interface Serving {
  readonly id: number;
  readonly peer: Peer;
  readonly samples: number;
  readonly there: RunningStatistics;
  readonly deadline: Nanos;
  readonly end: RallyEnd;
  serve: number;
  left: number;
  sentAt: Nanos;
  /** A volley not returned within this time was lost; doubles each time. */
  patience: Nanos;
  timer: Timer | null;
}

/** The latest rally that a core has served to this one; kept after its end, since the last answer may be lost. */
interface Receiving {
  readonly rally: number;
  readonly trips: RunningStatistics;
  serve: number;
  left: number;
  sentAt: Nanos;
}

/** The core's endpoint, as a rally uses it. */
export type Court = Pick<Endpoint, 'peers' | 'timers' | 'volley' | 'want'>;

const PATIENCE: Nanos = 250 * MILLISECOND;
const NO_FIGURES: VolleyFigures = [];

/**
 * Measures the round trips of both ends of a link with the same frames: each volley that one end sends answers the
 * other's. It takes half the frames of two series of pings, and wakes a sleeping process once for both. Volleys are not
 * messages: a channel would do its work for each of thousands, and acks would follow (decision 0065).
 *
 * The server sends the odd numbers left, the receiver the even ones; the first volley each way only warms the path; the
 * last, with none left, carries the receiver's measurements to the server. A volley that is not returned is served
 * again.
 */
export class Rally {
  private readonly serving = new Map<number, Serving>();
  private readonly receiving = new Map<CoreId, Receiving>();
  /** Of the latest rally with each core, whoever served. */
  private readonly shortest = new Map<CoreId, Nanos>();
  private lastId = 0;

  /** `measured`: called when this end has received a whole rally. */
  constructor(
    private readonly endpoint: Court,
    private readonly measured: (core: CoreId, trips: Spread) => void,
  ) {}

  /** Rallies that this core serves now. */
  get size(): number {
    return this.serving.size;
  }

  metrics(): readonly MetricFamily[] {
    const samples = [...this.shortest].map(([core, ns]) => ({ labels: { peer: peerName(core) }, value: ns / 1e9 }));
    return [
      {
        name: 'mk_link_round_trip_seconds',
        type: 'gauge',
        help: 'Shortest round trip to a peer in the last measurement of the link.',
        samples,
      },
    ];
  }

  /** Serves: `samples` round trips for each end. */
  play(core: CoreId, samples: number, now: Nanos, end: RallyEnd): void {
    const peer = this.endpoint.peers.get(core);
    if (peer === undefined) return end(null, now);
    const id = (this.lastId = (this.lastId + 1) >>> 0);
    const patience = Math.max(PATIENCE, 3 * peer.channel.roundTripNs);
    const rally: Serving = {
      id,
      peer,
      samples,
      there: new RunningStatistics(),
      deadline: now + limit('operationDeadlineNs'),
      end,
      serve: 0,
      left: 2 * samples + 1,
      sentAt: now,
      patience,
      timer: null,
    };
    this.serving.set(id, rally);
    if (peer.link === 0) this.endpoint.want(peer);
    this.serve(rally, now);
    this.watch(rally);
  }

  onVolley(from: Peer, volley: VolleyFrame, now: Nanos): void {
    if (!isCorePeer(from)) return;
    if (volley.left % 2 === 1) return this.receive(from, volley, now);
    const rally = this.serving.get(volley.rally);
    // A late or repeated answer to an earlier serve: the current trip is still to come.
    if (rally === undefined || rally.peer !== from || rally.serve !== volley.serve) return;
    if (rally.left <= 2 * rally.samples) rally.there.add(now - rally.sentAt);
    rally.left -= 2;
    if (rally.left > 0) return this.serve(rally, now);
    const [average, variance, min, max] = volley.figures;
    this.finish(
      rally,
      average === undefined
        ? null
        : { there: rally.there, back: { average, variance: known(variance), min: known(min), max: known(max) } },
      now,
    );
  }

  /** Serves again: volleys before the link opened were lost. */
  peerUp(peer: Peer, now: Nanos): void {
    for (const rally of this.serving.values()) if (rally.peer === peer) this.serve(rally, now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    this.receiving.delete(core);
    this.shortest.delete(core);
    for (const rally of [...this.serving.values()]) if (rally.peer.id === core) this.finish(rally, null, now);
  }

  private serve(rally: Serving, now: Nanos): void {
    rally.serve += 1;
    rally.sentAt = now;
    this.endpoint.volley(
      rally.peer,
      { kind: FRAME.volley, rally: rally.id, serve: rally.serve, left: rally.left, figures: NO_FIGURES },
      now,
    );
  }

  /** One timer per rally, which checks again when it fires: a volley sets none. */
  private watch(rally: Serving): void {
    rally.timer = this.endpoint.timers.set(Math.min(rally.deadline, rally.sentAt + rally.patience), (now) => {
      if (now >= rally.deadline) return this.finish(rally, null, now);
      if (now >= rally.sentAt + rally.patience) {
        rally.patience *= 2;
        this.serve(rally, now);
      }
      this.watch(rally);
    });
  }

  private finish(rally: Serving, rallied: Rallied | null, now: Nanos): void {
    this.endpoint.timers.cancel(rally.timer);
    this.serving.delete(rally.id);
    if (rallied !== null && isCore(rally.peer.id)) this.shortest.set(rally.peer.id, rallied.there.min);
    rally.end(rallied, now);
  }

  private receive(from: CorePeer, { rally: id, serve, left }: VolleyFrame, now: Nanos): void {
    let rally = this.receiving.get(from.id);
    if (rally === undefined || rally.rally !== id) {
      rally = { rally: id, trips: new RunningStatistics(), serve, left, sentAt: now };
      this.receiving.set(from.id, rally);
    } else if (serve <= rally.serve) return;
    else this.returned(from, rally, left, now);
    rally.serve = serve;
    rally.sentAt = now;
    const { trips } = rally;
    // The rally began before this core's life, so it has no trips: the server will give it up.
    if (left === 1 && trips.count === 0) return;
    const figures: VolleyFigures = left === 1 ? [trips.average, trips.variance, trips.min, trips.max] : NO_FIGURES;
    this.endpoint.volley(from, { kind: FRAME.volley, rally: id, serve, left: left - 1, figures }, now);
  }

  /** Handles a volley of a known rally: the answer to this core's last one, unless the same one is served again. */
  private returned(from: CorePeer, rally: Receiving, left: number, now: Nanos): void {
    if (left >= rally.left) return;
    rally.left = left;
    rally.trips.add(now - rally.sentAt);
    if (left > 1) return;
    this.shortest.set(from.id, rally.trips.min);
    this.measured(from.id, rally.trips);
  }
}

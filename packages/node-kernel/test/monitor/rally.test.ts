import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Peer } from '@mk/monitor-proto/endpoint/peer';
import { type CoreId, MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { VolleyFrame } from '@mk/monitor-proto/urpc/frames';
import { type Rallied, Rally, type Spread } from '@mk/node-kernel/monitor/probes/rally';

const SERVER = 1;
const RECEIVER = 2;
const TO_RECEIVER: Nanos = 300_000;
const TO_SERVER: Nanos = 500_000;
const ROUND_TRIP = TO_RECEIVER + TO_SERVER;
const DEADLINE = limit('operationDeadlineNs');
const EVEN: Spread = { average: ROUND_TRIP, variance: 0, min: ROUND_TRIP, max: ROUND_TRIP };

/** How much later than the link's latency a volley arrives, once per copy; empty: it is lost. */
type Fate = readonly Nanos[];

/** A server, a receiver and the link between them on one queue of timers. */
class Match {
  readonly timers = new TimerQueue();
  readonly sent: VolleyFrame[] = [];
  readonly measured: [CoreId, Spread][] = [];
  readonly ends: (Rallied | null)[] = [];
  /** Fates of the volleys in sending order; after the last one nothing goes wrong. */
  fates: Fate[] = [];
  readonly atReceiver = new Peer(SERVER, 1, 'the server');
  readonly atServer = new Peer(RECEIVER, 1, 'the receiver');
  readonly receiver: Rally = this.side(
    this.atReceiver,
    (frame, at) => this.server.onVolley(this.atServer, frame, at),
    TO_SERVER,
  );
  readonly server: Rally = this.side(
    this.atServer,
    (frame, at) => this.receiver.onVolley(this.atReceiver, frame, at),
    TO_RECEIVER,
  );

  play(samples: number, now: Nanos = 0): void {
    this.server.play(RECEIVER, samples, now, (rallied) => this.ends.push(rallied));
  }

  run(until: Nanos = 2 * DEADLINE): void {
    while (this.timers.next <= until) this.timers.expire(this.timers.next);
  }

  private side(other: Peer, deliver: (frame: VolleyFrame, at: Nanos) => void, latency: Nanos): Rally {
    const volley = (_to: Peer, frame: VolleyFrame, now: Nanos): void => {
      this.sent.push(frame);
      for (const late of this.fates.shift() ?? [0]) this.timers.set(now + latency + late, (at) => deliver(frame, at));
    };
    return new Rally(
      { peers: new Map([[other.id, other]]), timers: this.timers, volley, want: () => undefined },
      (core, trips) => this.measured.push([core, trips]),
    );
  }
}

describe('a rally', () => {
  let match: Match;
  const lefts = (): readonly number[] => match.sent.map(({ left }) => left);

  beforeEach(() => {
    match = new Match();
  });

  test('measures both directions by two frames a round trip, and two more', () => {
    match.play(3);
    match.run();
    expect(lefts()).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
    expect(match.ends).toEqual([{ there: expect.objectContaining(EVEN), back: EVEN }]);
    expect(match.measured).toEqual([[SERVER, expect.objectContaining(EVEN)]]);
    expect([match.server.size, match.timers.size]).toEqual([0, 0]);
  });

  test('does not count the first volley; a later one that is late lengthens one trip of each end', () => {
    match.fates = [[MILLISECOND], [0], [0], [MILLISECOND]];
    match.play(2);
    match.run();
    const long = { min: ROUND_TRIP, max: ROUND_TRIP + MILLISECOND, average: ROUND_TRIP + MILLISECOND / 2 };
    expect(match.ends).toEqual([{ there: expect.objectContaining(long), back: expect.objectContaining(long) }]);
  });

  test('serves again what was not returned; that trip counts from the second time', () => {
    match.fates = [[0], [0], []];
    match.play(2);
    match.run();
    expect(lefts()).toEqual([5, 4, 3, 3, 2, 1, 0]);
    expect(match.ends).toEqual([
      { there: expect.objectContaining(EVEN), back: expect.objectContaining({ min: ROUND_TRIP }) },
    ]);
  });

  test('takes an answer to an earlier serve for none of the present one', () => {
    match.fates = [[0], [0], [0], [SECOND]];
    match.play(2);
    match.run();
    expect(lefts().filter((left) => left === 3).length).toBeGreaterThan(1);
    expect(match.ends).toEqual([{ there: expect.objectContaining(EVEN), back: expect.anything() }]);
  });

  test('is told its figures again when the last answer was lost, and the receiver takes them once', () => {
    match.fates = [[0], [0], [0], [0], [0], []];
    match.play(2);
    match.run();
    expect(lefts()).toEqual([5, 4, 3, 2, 1, 0, 1, 0]);
    expect(match.ends).toEqual([{ there: expect.objectContaining(EVEN), back: EVEN }]);
    expect(match.measured).toHaveLength(1);
  });

  test('with a core that never answers, that goes, or that nobody knows, ends with nothing, once', () => {
    match.fates = Array.from({ length: 100 }, () => []);
    match.play(2);
    match.run(DEADLINE - 1);
    expect(match.ends).toEqual([]);
    match.run();
    expect([match.ends, match.server.size, match.timers.size]).toEqual([[null], 0, 0]);
    match.play(2, DEADLINE);
    match.server.peerGone(RECEIVER, DEADLINE);
    match.server.peerGone(RECEIVER, DEADLINE);
    expect([match.ends, match.server.size, match.timers.size]).toEqual([[null, null], 0, 0]);
    match.server.play(3, 2, DEADLINE, (rallied) => match.ends.push(rallied));
    expect(match.ends).toEqual([null, null, null]);
  });

  test('that a receiver joins at its last volley has no figures to tell, and is given up', () => {
    match.play(2);
    match.receiver.onVolley(match.atReceiver, { ...match.sent[0]!, rally: 99, left: 1 }, 0);
    expect(match.sent).toHaveLength(1);
  });

  test('with volleys lost, doubled and late ends once, leaves nothing, and never measures too little', () => {
    const fate = fc.array(fc.nat(400 * MILLISECOND), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fate, { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (fates, samples) => {
        match = new Match();
        match.fates = [...fates];
        match.play(samples);
        match.run();
        expect([match.ends.length, match.server.size, match.timers.size]).toEqual([1, 0, 0]);
        for (const rallied of match.ends) {
          if (rallied === null) continue;
          expect(rallied.there.min).toBeGreaterThanOrEqual(ROUND_TRIP);
          expect(rallied.back.min).toBeGreaterThanOrEqual(ROUND_TRIP);
        }
      }),
      { numRuns: 500 },
    );
  });
});

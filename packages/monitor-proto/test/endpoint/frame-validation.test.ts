import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { encodeMessage, type WireMessage } from '@mk/monitor-proto/messages/codec';
import { MESSAGES } from '@mk/monitor-proto/messages/table';
import { decodeFrame, encodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { type Batch, type DataFrame, FRAME } from '@mk/monitor-proto/urpc/frames';
import { farId, type End, pair, ping, settle } from './ends.ts';

const packr = new Packr({ useRecords: false });
const MONITOR = 1;
const URGENT = 0;

/** Two ends with an open link (1 at the first, 2 at the second). */
function connected(): readonly [End, End] {
  const ends = pair();
  settle(ends, 0);
  expect(ends.map((end) => end.peer.link)).toEqual([1, 2]);
  return ends;
}

function pings(first: number, count: number): WireMessage[] {
  return Array.from({ length: count }, (_, i) => encodeMessage(ping(first + i)));
}

function dataFrame(batches: readonly Batch[], change: Partial<DataFrame> = {}): DataFrame {
  return { kind: FRAME.data, lamport: 1, acks: [0, 0, 0], missing: [0, 0, 0], batches, ...change };
}

/** All state that a frame may change at the receiving end. */
function stateOf({ endpoint, outbox, peer, got }: End): unknown {
  const { framesReceived, doubled } = endpoint.counters;
  const { lastHeardAt, channel } = peer;
  return {
    marks: channel.marks(),
    unacknowledged: channel.unacknowledged,
    lamport: outbox.lamport,
    lastHeardAt,
    framesReceived,
    doubled,
    got: got.length,
  };
}

/** One fault of a message, wherever it stands. */
const BAD_MESSAGES: Readonly<Record<string, unknown>> = {
  'of no ordinal': [9999, 1],
  'that is not an array': 17,
  'that is empty': [],
  'with a field too few': [MESSAGES.ping_request.ordinal, 1],
  'with a field too many': [MESSAGES.ping_request.ordinal, 1, new Uint8Array(), 1],
  'with a field of another kind': [MESSAGES.ping_request.ordinal, 'one', new Uint8Array()],
  'whose ordinal names a property of arrays': ['length', 1],
  'whose ordinal names a method of arrays': ['push', 1],
  'whose ordinal names a prototype': ['__proto__', 1],
  'of another lane': encodeMessage({ type: 'flood', stream: 1, number: 1, payload: new Uint8Array() }),
};

describe('E1: a frame that does not validate changes nothing', () => {
  test.each(Object.entries(BAD_MESSAGES))('a message %s behind valid ones', (_what, bad) => {
    const [core, other] = connected();
    const before = stateOf(other);
    const batch: Batch = { lane: MONITOR, first: 1, messages: [...pings(1, 3), bad as WireMessage, ...pings(5, 2)] };
    other.endpoint.frameReceived(2, encodeFrame(dataFrame([batch], { lamport: 77 })), 5);
    expect(stateOf(other)).toEqual(before);
    expect(other.peer.link).toBe(0);
    expect(other.endpoint.counters.framesRejected).toBe(1);
    core.outbox.take();
  });

  test('in any place among any batches, those that come too early or twice included', () => {
    const plan = fc.record({
      counts: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
      gap: fc.integer({ min: 0, max: 5 }),
      at: fc.nat(),
      bad: fc.constantFrom(...Object.values(BAD_MESSAGES)),
      delivered: fc.integer({ min: 0, max: 4 }),
    });
    fc.assert(
      fc.property(plan, ({ counts, gap, at, bad, delivered }) => {
        const [core, other] = connected();
        for (let i = 1; i <= delivered; i++) core.endpoint.send(1, ping(i));
        settle([core, other], 1);
        const before = stateOf(other);
        let first = 1;
        const batches: Batch[] = counts.map((count) => {
          const batch = { lane: MONITOR, first, messages: pings(first, count) };
          first += count + gap;
          return batch;
        });
        const spoilt = batches[at % batches.length]!;
        (spoilt.messages as unknown[])[at % spoilt.messages.length] = bad;
        other.endpoint.frameReceived(2, encodeFrame(dataFrame(batches, { lamport: 1000 })), 5);
        expect(stateOf(other)).toEqual(before);
        expect(other.peer.link).toBe(0);
      }),
    );
  });

  test.each([
    [
      'acks of what was never sent',
      dataFrame([{ lane: MONITOR, first: 1, messages: pings(1, 2) }], { acks: [0, 0, 9] }),
    ],
    [
      'a batch outside its window behind one inside',
      dataFrame([
        { lane: MONITOR, first: 1, messages: pings(1, 2) },
        { lane: URGENT, first: 1_000_000, messages: [encodeMessage({ type: 'clock_request', id: 1, t0: 0 })] },
      ]),
    ],
  ])('%s', (_what, frame) => {
    const [, other] = connected();
    const before = stateOf(other);
    other.endpoint.frameReceived(2, encodeFrame(frame), 5);
    expect(stateOf(other)).toEqual(before);
    expect(other.peer.link).toBe(0);
  });

  test('what was valid in it comes with the next link, once', () => {
    const [core, other] = connected();
    for (let i = 1; i <= 4; i++) core.endpoint.send(1, ping(i));
    core.endpoint.flush(1);
    for (const effect of core.outbox.take()) {
      if (effect.type !== 'send_frame') continue;
      const frame = decodeFrame(effect.frame) as DataFrame;
      (frame.batches[0]!.messages as unknown[])[2] = ['length'];
      other.endpoint.frameReceived(farId(effect.link), encodeFrame(frame), 1);
    }
    expect(other.got).toEqual([]);
    core.endpoint.linkDown(1, 'BAD_FRAME', 2);
    for (let now = 2; now < 3e9 && other.got.length < 4; now += 1e6) settle([core, other], now);
    expect(other.got).toMatchObject([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }]);
  });
});

describe('what no frame may be', () => {
  test.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString', null, -1, 1.5, 2 ** 40])(
    'its kind is %p',
    (kind) => {
      expect(typeof decodeFrame(packr.pack([kind, 1, 2]))).toBe('string');
    },
  );

  test.each([-1, 1.5, 2 ** 52 + 2, Number.MAX_SAFE_INTEGER])('its Lamport time is %p', (lamport) => {
    expect(decodeFrame(packr.pack([FRAME.data, lamport, [0, 0, 0], 0]))).toMatch('no Lamport time');
  });
});

test('no counter falls when a peer is gone, or another instance takes its place', () => {
  const [core, other] = connected();
  for (let i = 1; i <= 5; i++) core.endpoint.send(1, ping(i));
  settle([core, other], 1);
  const before = { ...core.endpoint.counters };
  expect(before.framesSent).toBeGreaterThan(0);
  core.endpoint.expect(1, 2, 'the next instance');
  expect(core.endpoint.counters).toEqual(before);
  core.endpoint.forget(core.endpoint.connect(1, 2, 'the next instance', 'somewhere', 2), 'the test says so', 2);
  expect(core.endpoint.counters).toEqual(before);
});

/*
 * Bytes that are not a frame, misplaced frames, and frames with invalid messages. All are rejected: an accepted one
 * would take a true message's number, and this core would fall silent, which is another fault (hang).
 */
import { known } from '@mk/monitor-proto/assert';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { encodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { type DataFrame, FRAME, NO_MARKS } from '@mk/monitor-proto/urpc/frames';
import type { WireMessage } from '@mk/monitor-proto/messages/codec';
import { type FrameMaker, type Mischief, oneOf } from './mischief.ts';

export const garbage: FrameMaker = (m, to) => oneOf(m, FRAMES)(m, to);

const FRAMES: readonly FrameMaker[] = [
  (m) => noise(m, 1 + m.prng.nextInt(300)),
  (m, to) => {
    const whole = dataFrame(m, to, [[42, 1, new Uint8Array(9)]]);
    return whole.subarray(0, 1 + m.prng.nextInt(whole.length - 1));
  },
  (m, to) => {
    const broken = dataFrame(m, to, [[1999, 1, new Uint8Array(9)]], { first: 2 ** 40 }).slice();
    for (let i = 0; i < 3; i += 1) broken[m.prng.nextInt(broken.length)] = m.prng.nextInt(256);
    return broken;
  },
  /** An array that claims four thousand million members. */
  () => Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff, 5),
  /** Arrays in arrays, deeper than any stack. */
  (m) => new Uint8Array(200 + m.prng.nextInt(5000)).fill(0x91),
  /** A map, an extension, a date: kinds of msgpack that frames do not have. */
  (m) => Uint8Array.of(0x95, 5, 0, 0x93, 0, 0, 0, 0, oneOf(m, [0x81, 0xc7, 0xd6]), 1, 0xff, 0, 0, 0, 0),
  (m, to) => dataFrame(m, to, [[m.prng.nextInt(2000)]]),
  (m, to) => dataFrame(m, to, [[50, ...Array.from({ length: m.prng.nextInt(12) }, () => junk(m))]]),
  (m, to) => dataFrame(m, to, [[oneOf(m, [-1, 0.5, 2 ** 53, 1e300])]]),
  /** An ordinal that is not a number: null, true, a string, an array. */
  (m, to) => {
    const frame = dataFrame(m, to, [[1]]).slice();
    frame[frame.length - 1] = oneOf(m, [0xc0, 0xc3, 0xa0, 0x90]);
    return frame;
  },
  (m, to) => dataFrame(m, to, [[100, junk(m), 1, [junk(m)], 2]]),
  (m, to) => dataFrame(m, to, [[42, 1, new Uint8Array(9)]], { first: 1 + m.prng.nextInt(2 ** 31) }),
  (m, to) => dataFrame(m, to, [], { acks: [2 ** 40, 2 ** 40, 2 ** 40] }),
  (m, to) => dataFrame(m, to, [], { lamport: 2 ** 52 + 1 }),
  (m, to) => dataFrame(m, to, [[42, 1, new Uint8Array(9)]], { lane: 0 }),
  () => encodeFrame({ kind: FRAME.prove, proof: new Uint8Array(32) }),
  () => encodeFrame({ kind: FRAME.refuse, code: 20, text: 'you are not wanted' }),
];

function dataFrame(
  m: Mischief,
  to: Peer,
  messages: readonly WireMessage[],
  changed: {
    readonly first?: number;
    readonly lane?: number;
    readonly acks?: DataFrame['acks'];
    readonly lamport?: number;
  } = {},
): Uint8Array {
  const { first = known(to.sent[1]) + 1, lane = 1, acks = NO_MARKS, lamport = m.context.outbox.lamport } = changed;
  const batches = messages.length === 0 ? [] : [{ lane, first, messages }];
  return encodeFrame({ kind: FRAME.data, lamport, acks, missing: NO_MARKS, batches });
}

/** Each is a list, because one of them is empty. */
const JUNK: readonly (readonly [unknown])[] = [
  [null],
  [true],
  [-1],
  [0.5],
  [2 ** 53],
  [1e300],
  [''],
  ['length'],
  ['__proto__'],
  ['9'.repeat(300)],
  [new Uint8Array(3)],
  [[]],
  [[[[[]]]]],
  [[-1, 'x']],
];

function junk(m: Mischief): unknown {
  return oneOf(m, JUNK)[0];
}

function noise({ prng }: Mischief, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => prng.nextInt(256));
}

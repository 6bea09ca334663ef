import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { limit } from '@mk/monitor-proto/limits';
import { decodeFrame, encodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { FRAME, type Frame, type Identity } from '@mk/monitor-proto/urpc/frames';
import { scanMsgpack } from '@mk/monitor-proto/urpc/scan';

const packr = new Packr({ useRecords: false });
const from: Identity = { version: 1, cluster: 'c', peer: 3, incarnation: 2, instance: 'ab' };
const frames: readonly Frame[] = [
  { kind: FRAME.hello, from, nonce: Buffer.alloc(16, 1), knows: '', received: [0, 5, 0] },
  {
    kind: FRAME.welcome,
    from,
    nonce: Buffer.alloc(16, 2),
    proof: Buffer.alloc(32, 3),
    knows: 'x',
    received: [0, 0, 9],
  },
  { kind: FRAME.prove, proof: Buffer.alloc(32, 4) },
  { kind: FRAME.refuse, code: 20, text: 'no' },
  {
    kind: FRAME.data,
    lamport: 4,
    acks: [1, 2, 3],
    missing: [0, 7, 0],
    batches: [
      {
        lane: 2,
        first: 11,
        messages: [
          [40, 1],
          [40, 2],
        ],
      },
    ],
  },
  {
    kind: FRAME.data,
    lamport: 5,
    acks: [0, 0, 0],
    missing: [0, 0, 0],
    batches: [
      { lane: 0, first: 1, messages: [[40, 1]] },
      { lane: 1, first: 300, messages: [[40, 2]] },
    ],
  },
  { kind: FRAME.data, lamport: 6, acks: [9, 0, 0], missing: [0, 0, 0], batches: [] },
  { kind: FRAME.volley, rally: 7, serve: 2, left: 3, figures: [] },
  { kind: FRAME.volley, rally: 7, serve: 3, left: 0, figures: [250_000.5, 1e9, 249_000, 252_000] },
];

describe('frames', () => {
  it.each(frames.map((frame) => [frame.kind, frame] as const))('of kind %i come back as they were', (_kind, frame) => {
    expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
  });

  it('are refused with a reason when a byte is gone, and never throw when bytes are flipped', () => {
    for (const frame of frames) {
      const bytes = encodeFrame(frame);
      for (let length = 0; length < bytes.length; length++)
        expect(typeof decodeFrame(bytes.subarray(0, length))).toBe('string');
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
          (flips) => {
            const mutated = Uint8Array.from(bytes);
            for (const [at, value] of flips) mutated[at] = value;
            expect(['string', 'object']).toContain(typeof decodeFrame(mutated));
          },
        ),
        { numRuns: 500 },
      );
    }
  });

  it('beyond the size limit are refused before they are looked at', () => {
    expect(decodeFrame(new Uint8Array(limit('maxFrameBytes') + 1))).toMatch('exceeds the limit');
  });
});

describe('the scan before decoding', () => {
  const plain = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.maxSafeInteger(),
      fc.double({ noNaN: true }),
      fc.boolean(),
      fc.constant(null),
      fc.string(),
      fc.uint8Array().map((b) => Buffer.from(b)),
      fc.array(tie('value')),
    ),
  })).value;

  it('lets through whatever the protocol can send', () => {
    fc.assert(
      fc.property(fc.array(plain), (value) => expect(scanMsgpack(packr.pack(value))).toBeNull()),
      { numRuns: 500 },
    );
  });

  it.each([
    ['a map', packr.pack({ a: 1 }), 'does not belong'],
    ['a date', packr.pack([new Date(0)]), 'does not belong'],
    [
      'an array that claims more than the frame holds',
      Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff),
      'claims 4294967295 elements in 0 bytes',
    ],
    ['a binary that claims more than the frame holds', Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff), 'ends too early'],
    ['two values', Uint8Array.of(0x01, 0x02), 'after the frame'],
    ['nothing', new Uint8Array(), 'ends too early'],
    ['nesting without end', new Uint8Array(100_000).fill(0x91), 'nested deeper'],
    ['the byte that msgpack does not use', Uint8Array.of(0xc1), '0xc1 does not belong'],
  ])('refuses %s', (_name, bytes, reason) => {
    expect(scanMsgpack(bytes)).toMatch(reason);
  });

  it('never throws, and agrees with itself, on random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expect(scanMsgpack(bytes)).toBe(scanMsgpack(bytes))),
      { numRuns: 5000 },
    );
  });
});

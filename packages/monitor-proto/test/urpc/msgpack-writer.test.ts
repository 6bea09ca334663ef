import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Packr, unpack } from 'msgpackr';
import { beginMsgpack, endMsgpack, type WireValue, write } from '@mk/monitor-proto/urpc/msgpack-writer';
import { scanMsgpack } from '@mk/monitor-proto/urpc/scan';

const msgpackr = new Packr({ useRecords: false, variableMapSize: true });
const { value } = fc.letrec<{ value: WireValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(
      0x7f,
      0x80,
      0xff,
      0x100,
      0xffff,
      0x10000,
      0xffff_ffff,
      0x1_0000_0000,
      -1,
      -0x20,
      -0x21,
      -0x8000_0000,
    ),
    fc.double(),
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.string({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 40 }),
  ),
}));
const frame = fc.array(value, { minLength: 1, maxLength: 20 });

function packMsgpack(value: WireValue): Uint8Array {
  beginMsgpack();
  write(value);
  return endMsgpack();
}

describe('the msgpack writer', () => {
  it('writes what msgpackr reads back as it was, and the scan lets in', () => {
    fc.assert(
      fc.property(frame, (values) => {
        const bytes = packMsgpack(values);
        expect(scanMsgpack(bytes)).toBeNull();
        expect(unpack(bytes)).toEqual(unpack(msgpackr.pack(values)));
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves the frames alone that it wrote before', () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 2, maxLength: 30 }), (frames) => {
        const packed = frames.map((values) => packMsgpack(values));
        const before = packed.map((bytes) => Buffer.from(bytes));
        packMsgpack([new Uint8Array(100_000)]);
        expect(packed.map((bytes) => Buffer.from(bytes))).toEqual(before);
      }),
    );
  });

  it('grows past a slab in the middle of a frame', () => {
    const large = [1, new Uint8Array(70_000).fill(7), 'x'.repeat(30_000), new Uint8Array(200_000).fill(9), 2];
    const bytes = packMsgpack(large);
    expect(unpack(bytes)).toEqual([1, Buffer.alloc(70_000, 7), 'x'.repeat(30_000), Buffer.alloc(200_000, 9), 2]);
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Range } from '@mk/node-kernel/capability/model/capability';
import { RamAllocator } from '@mk/node-kernel/capability/store/ram-allocator';
import { intersectRanges, subtractRanges, totalBytes, unionRanges } from '@mk/node-kernel/capability/model/ranges';

const UNITS = 64;

function bits(ranges: readonly Range[]): boolean[] {
  const map = Array.from({ length: UNITS * 2 }, () => false);
  for (const { address, size } of ranges) map.fill(true, address, address + size);
  return map;
}

const range = fc.record({ address: fc.nat(UNITS - 1), size: fc.nat(20) });
const ranges = fc.array(range, { maxLength: 8 });

describe('range sets', () => {
  test('agree with a map of bytes', () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const [mapA, mapB] = [bits(a), bits(b)];
        expect(bits(unionRanges(a))).toEqual(mapA);
        expect(bits(subtractRanges(a, b))).toEqual(mapA.map((bit, i) => bit && !mapB[i]));
        expect(bits(intersectRanges(a, b))).toEqual(mapA.map((bit, i) => bit && mapB[i]));
        const result = subtractRanges(a, b);
        result.slice(1).forEach((next, i) => {
          expect(next.address).toBeGreaterThan(result[i]!.address + result[i]!.size - 1);
        });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the RAM allocator', () => {
  test('never hands out a byte twice, loses none, and joins what comes back', () => {
    const step = fc.oneof(
      fc.record({ bytes: fc.integer({ min: 1, max: 12 }), alignment: fc.constantFrom(1, 2, 4, 8) }),
      fc.record({ free: fc.nat(30) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const allocator = new RamAllocator([{ address: 0, size: UNITS }]);
        const held: Range[] = [];
        for (const action of steps) {
          if ('free' in action) {
            const [back] = held.splice(action.free % Math.max(held.length, 1), 1);
            if (back !== undefined) expect(totalBytes(allocator.release(back))).toBe(back.size);
          } else {
            const got = allocator.allocate(action.bytes, action.alignment);
            if (got !== null) {
              expect(got.address % action.alignment).toBe(0);
              expect(intersectRanges(held, [got])).toEqual([]);
              held.push(got);
            }
          }
          expect(allocator.freeBytes + totalBytes(held)).toBe(UNITS);
          expect(unionRanges(allocator.freeRanges())).toEqual(allocator.freeRanges());
        }
        held.forEach((back) => allocator.release(back));
        expect(allocator.freeRanges()).toEqual([{ address: 0, size: UNITS }]);
      }),
      { numRuns: 1_000 },
    );
  });

  test('freeing twice changes nothing; a range may be bounded or taken by address', () => {
    const allocator = new RamAllocator([{ address: 0, size: 100 }]);
    const first = allocator.allocate(10, 1)!;
    expect(allocator.allocate(10, 1, { address: 50, size: 10 })).toEqual({ address: 50, size: 10 });
    expect(allocator.allocate(10, 1, { address: 55, size: 10 })).toBeNull();
    expect(allocator.release(first)).toEqual([first]);
    expect(allocator.release(first)).toEqual([]);
    expect(allocator.take({ address: 40, size: 30 })).toEqual([
      { address: 40, size: 10 },
      { address: 60, size: 10 },
    ]);
    expect(allocator.freeBytes).toBe(70);
    expect(allocator.allocate(0)).toBeNull();
    expect(allocator.allocate(1000)).toBeNull();
  });
});

import { describe, expect, test } from '@jest/globals';
import { createPrng } from '../src/prng.ts';
import type { Prng } from '../src/prng.ts';

function take(prng: Prng, n: number): number[] {
  return Array.from({ length: n }, () => prng.nextUint32());
}

describe('createPrng', () => {
  test('repeats itself for the same seed, spelt as a number or as a text', () => {
    expect(take(createPrng(42), 50)).toEqual(take(createPrng('42'), 50));
    expect(take(createPrng(42), 5)).not.toEqual(take(createPrng(43), 5));
  });

  test('keeps its sequence from version to version', () => {
    expect(take(createPrng(42), 3)).toEqual([3555373627, 3002670447, 3130752707]);
  });

  test('splits off streams that do not depend on what was drawn before', () => {
    const fresh = createPrng(7);
    const used = createPrng(7);
    take(used, 1000);
    expect(take(used.split('link 3>7'), 20)).toEqual(take(fresh.split('link 3>7'), 20));
    expect(take(fresh.split('link 7>3'), 20)).not.toEqual(take(fresh.split('link 3>7'), 20));
    expect(take(fresh.split('a').split('b'), 20)).not.toEqual(take(fresh.split('b').split('a'), 20));
  });

  test('gives different streams to 100,000 different seeds and labels', () => {
    const first = new Set<number>();
    const root = createPrng(1);
    for (let i = 0; i < 100_000; i++) {
      first.add(root.split(i).nextUint32() * 2 ** 21 + (createPrng(i).nextUint32() >>> 11));
    }
    expect(first.size).toBe(100_000);
  });

  test('is uniform: floats, small integers and every bit', () => {
    const prng = createPrng('uniform');
    const cells = Array.from({ length: 100 }, () => 0);
    const bits = Array.from({ length: 32 }, () => 0);
    for (let i = 0; i < 200_000; i++) {
      cells[Math.floor(prng.nextFloat() * 100)]! += 1;
      const word = prng.nextUint32();
      for (let bit = 0; bit < 32; bit++) bits[bit]! += (word >>> bit) & 1;
    }
    const chiSquare = cells.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0);
    expect(chiSquare).toBeLessThan(160);
    for (const ones of bits) expect(Math.abs(ones - 100_000)).toBeLessThan(1200);
  });

  test('nextInt stays below its bound and reaches every value', () => {
    const prng = createPrng(3);
    const seen = new Set(Array.from({ length: 1000 }, () => prng.nextInt(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('nextNormal has mean 0 and deviation 1', () => {
    const prng = createPrng(3);
    const draws = Array.from({ length: 100_000 }, () => prng.nextNormal());
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length;
    expect(Math.abs(mean)).toBeLessThan(0.015);
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  });
});

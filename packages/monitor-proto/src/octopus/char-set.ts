/** Sets of Unicode code points as sorted, disjoint ranges. Pure. */

import { known } from '../assert.ts';

/** Pairs of first and last code point, in order. */
export type Ranges = readonly (readonly [first: number, last: number])[];

const LAST = 0x10ffff;
const ASCII = 128;

export const DIGITS: Ranges = [[48, 57]];
export const WORD: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
/** The code points that JavaScript's `\s` matches. */
export const SPACE: Ranges = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

export function unionOf(sets: readonly Ranges[]): Ranges {
  const sorted = sets.flat().sort(([a], [b]) => a - b);
  const merged: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

export function complementOf(set: Ranges): Ranges {
  const gaps: [number, number][] = [];
  let from = 0;
  for (const [first, last] of unionOf([set])) {
    if (first > from) gaps.push([from, first - 1]);
    from = last + 1;
  }
  if (from <= LAST) gaps.push([from, LAST]);
  return gaps;
}

/** A set optimised for look-ups. */
export class CharSet {
  /** The only code point, or −1 when there are several. */
  readonly single: number;
  private readonly ascii = new Uint8Array(ASCII);
  private readonly firsts: Int32Array;
  private readonly lasts: Int32Array;

  constructor(ranges: Ranges) {
    this.firsts = Int32Array.from(ranges, ([first]) => first);
    this.lasts = Int32Array.from(ranges, ([, last]) => last);
    for (const [first, last] of ranges)
      for (let code = first; code <= Math.min(last, ASCII - 1); code++) this.ascii[code] = 1;
    const [only, more] = ranges;
    this.single = only !== undefined && more === undefined && only[0] === only[1] ? only[0] : -1;
  }

  has(code: number): boolean {
    if (code < ASCII) return this.ascii[code] === 1;
    let low = 0;
    let high = this.firsts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (known(this.firsts[middle]) <= code) low = middle + 1;
      else high = middle;
    }
    return low > 0 && code <= known(this.lasts[low - 1]);
  }
}

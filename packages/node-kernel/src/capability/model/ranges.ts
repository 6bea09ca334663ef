/** Sets of byte ranges: normalised arrays, sorted by address, with no empty and no adjacent ranges. */
import { known } from '@mk/monitor-proto/assert';
import type { Range } from './capability.ts';

/** The bytes in any of the ranges. */
export function unionRanges(ranges: readonly Range[]): Range[] {
  const sorted = ranges.filter((range) => range.size > 0).sort((a, b) => a.address - b.address);
  const merged: { address: number; size: number }[] = [];
  for (const { address, size } of sorted) {
    const last = merged[merged.length - 1];
    if (last === undefined || address > last.address + last.size) merged.push({ address, size });
    else last.size = Math.max(last.size, address + size - last.address);
  }
  return merged;
}

/** The bytes of `from` that are in none of `taken`. */
export function subtractRanges(from: readonly Range[], taken: readonly Range[]): Range[] {
  const holes = unionRanges(taken);
  const left: Range[] = [];
  let first = 0;
  for (const range of unionRanges(from)) {
    const end = range.address + range.size;
    while (first < holes.length && known(holes[first]).address + known(holes[first]).size <= range.address) first += 1;
    let at = range.address;
    for (let i = first; i < holes.length && known(holes[i]).address < end; i += 1) {
      const hole = known(holes[i]);
      if (hole.address > at) left.push({ address: at, size: hole.address - at });
      at = Math.max(at, hole.address + hole.size);
    }
    if (at < end) left.push({ address: at, size: end - at });
  }
  return left;
}

/** The bytes in both. */
export function intersectRanges(a: readonly Range[], b: readonly Range[]): Range[] {
  return subtractRanges(a, subtractRanges(a, b));
}

export function totalBytes(ranges: readonly Range[]): number {
  return ranges.reduce((sum, range) => sum + range.size, 0);
}

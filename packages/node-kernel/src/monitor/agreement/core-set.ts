import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';

/** A set of cores as 32-bit words, lowest ids first: a thirty-second of a list to send and compare. */
export type CoreSet = readonly number[];

const WORD_BITS = 32;

export function coreSetOf(cores: Iterable<CoreId>): CoreSet {
  const words: number[] = [];
  for (const core of cores) {
    const at = Math.floor(core / WORD_BITS);
    while (words.length <= at) words.push(0);
    words[at] = (known(words[at]) | (1 << (core % WORD_BITS))) >>> 0;
  }
  return words;
}

/** Whether all cores of `part` are in `whole`. */
export function isSubset(part: CoreSet, whole: CoreSet): boolean {
  for (let i = 0; i < part.length; i += 1) if ((known(part[i]) & ~(whole[i] ?? 0)) !== 0) return false;
  return true;
}

/** The core's index in the set, by id; −1: it is not in the set. */
export function placeIn(set: CoreSet, core: CoreId): number {
  const at = Math.floor(core / WORD_BITS);
  if (((set[at] ?? 0) & (1 << (core % WORD_BITS))) === 0) return -1;
  let place = 0;
  for (let one = 0; one < core; one += 1)
    if (((set[Math.floor(one / WORD_BITS)] ?? 0) & (1 << (one % WORD_BITS))) !== 0) place += 1;
  return place;
}

export function isCoreSet(words: readonly number[]): boolean {
  return words.every((word) => word >= 0 && word < 2 ** WORD_BITS);
}

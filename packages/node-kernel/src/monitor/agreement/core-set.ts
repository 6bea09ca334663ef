import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';

/** A set of cores as words of 32 bits, the lowest ids first: on the wire, and to compare, a thirty-second of a list. */
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

export function isCoreSet(words: readonly number[]): boolean {
  return words.every((word) => word >= 0 && word < 2 ** WORD_BITS);
}

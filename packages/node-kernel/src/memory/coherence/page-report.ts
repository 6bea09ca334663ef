import type { CoreId } from '@mk/monitor-proto/ids';
import { keysOf } from '@mk/monitor-proto/tables';
import type { PageState } from './messages.ts';

/** Counts of one page since its memory became the present object. */
export interface PageStatistics {
  reads: number;
  writes: number;
  atomics: number;
  invalidations: number;
  writebacks: number;
  transfers: number;
}

/** The answer of `mkctl pages`. */
export interface PageReport {
  readonly page: number;
  readonly state: PageState;
  readonly owner: CoreId | null;
  readonly sharers: readonly CoreId[];
  readonly version: number;
  readonly queued: number;
  readonly lost: boolean;
  readonly statistics: Readonly<PageStatistics>;
}

export function noStatistics(): PageStatistics {
  return { reads: 0, writes: 0, atomics: 0, invalidations: 0, writebacks: 0, transfers: 0 };
}

export function addStatistics(to: PageStatistics, from: Readonly<PageStatistics>): void {
  for (const name of keysOf(to)) to[name] += from[name];
}

/** Adds up one page's counts with others', and begins them anew. */
export function moveStatistics(from: PageStatistics, to: PageStatistics): void {
  addStatistics(to, from);
  Object.assign(from, noStatistics());
}

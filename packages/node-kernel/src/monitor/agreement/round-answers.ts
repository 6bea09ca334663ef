import type { CoreId } from '@mk/monitor-proto/ids';
import { type ErrorName, errorOfCode, ERRORS } from '@mk/monitor-proto/errors';
import type { Answer, Route } from '@mk/monitor-proto/messages/fields';
import type { MessageOf } from '@mk/monitor-proto/messages/table';

/** A phase's outcome: how many cores consented, and which refused and why. */
export interface PhaseResult {
  readonly consenting: number;
  readonly refusals: readonly Answer[];
  /** Numbers that voters added to their votes: pairs of natural numbers, unordered. */
  readonly data: readonly number[];
  /** Requests and replies, at all cores; one request for a subtree that did not answer. */
  readonly messages: number;
  /** Cores that did not answer, or are gone; if some were silent altogether, only those. */
  readonly silent: readonly CoreId[];
}

/**
 * A2 of a child's answer: it counts each core below once, as consenting or refusing, and its numbers are at least 0.
 */
export function answersFor(route: Route, { count, refusals, data }: MessageOf<'round_reply'>): boolean {
  if (!data.every((number) => number >= 0 && number < Infinity)) return false;
  const [, below] = route;
  if (below.length === 0 && refusals.length === 0) return count === 1;
  const cores = new Set(coresOf([route], 0).map(([one]) => one));
  if (count + refusals.length !== cores.size) return false;
  return refusals.every(([one]) => cores.delete(one));
}

/** The first refusal of a result as an error name, or null. */
export function firstRefusal(result: PhaseResult): { readonly core: CoreId; readonly error: ErrorName } | null {
  const first = result.refusals[0];
  return first === undefined ? null : { core: first[0], error: errorOfCode(first[1]) ?? 'ROUND_REFUSED' };
}

/** Whether an answer stands for one that did not come. */
export function isSilence([, code]: Answer): boolean {
  return code === ERRORS.OPERATION_TIMEOUT.code || code === ERRORS.PEER_GONE.code;
}

/** Whether these subtrees name at most so many cores. */
export function areAtMost(routes: readonly Route[], most: number): boolean {
  let left = most - routes.length;
  const count = (below: readonly Route[]): void => {
    left -= below.length;
    if (left >= 0) for (const [, children] of below) if (children.length > 0) count(children);
  };
  if (left >= 0) for (const [, children] of routes) if (children.length > 0) count(children);
  return left >= 0;
}

/** All cores of these subtrees, each with the same code. */
export function coresOf(routes: readonly Route[], code: number): Answer[] {
  return routes.flatMap(([core, below]): Answer[] => [[core, code], ...coresOf(below, code)]);
}

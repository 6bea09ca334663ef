import { MICROSECOND, type Nanos } from '../ids.ts';
import { limit } from '../limits.ts';

/** A change smaller than this is the host's noise, whatever its ratio. */
const NOISE: Nanos = 200 * MICROSECOND;

/** Whether a shortest round trip differs so much from the known one that it is reported, and trees are planned anew. */
export function roundTripMoved(known: Nanos, present: Nanos): boolean {
  return Math.abs(present - known) > Math.max(NOISE, limit('planChangeRatio') * known);
}

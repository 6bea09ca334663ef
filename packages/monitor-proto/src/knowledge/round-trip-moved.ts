import { MICROSECOND, type Nanos } from '../ids.ts';
import { limit } from '../limits.ts';

/** A smaller change is the host's noise, whatever its ratio. */
const NOISE: Nanos = 200 * MICROSECOND;

/** Whether a shortest round trip differs enough from the known one to be reported and to have the trees replanned. */
export function roundTripMoved(known: Nanos, present: Nanos): boolean {
  return Math.abs(present - known) > Math.max(NOISE, limit('planChangeRatio') * known);
}

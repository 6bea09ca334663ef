import type { Nanos } from '../ids.ts';

// process.hrtime, not performance.now, which loads eight modules of Node's that a booting core does without.
const [originSeconds, originNanos] = process.hrtime();

/** The host's monotonic clock when this process began; nanoseconds, the same scale in all processes of a host. */
export const hostClockNs: Nanos = originSeconds * 1e9 + originNanos;

/** Nanoseconds since this process began; monotonic. The only clock a host gives its state machine. */
export function nowNs(): Nanos {
  const [seconds, nanos] = process.hrtime();
  return (seconds - originSeconds) * 1e9 + (nanos - originNanos);
}

import { performance } from 'node:perf_hooks';
import type { Nanos } from '../ids.ts';

/** Nanoseconds since this process began; monotonic. The only clock that a host gives its state machine. */
export function nowNs(): Nanos {
  return Math.round(performance.now() * 1e6);
}

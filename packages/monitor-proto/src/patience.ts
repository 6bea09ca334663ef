/** Settings that say how long to wait for somebody, and their bounds: the command line, the environment and the SKB agree. */

/** The least that each may be, in milliseconds. */
const LEAST_MS = {
  sessionTimeout: 1000,
  /** A shorter one would run out between two beacons of a busy host. */
  lease: 100,
  /** A core asks the SKB every second: a few answers may be late. */
  skbSilence: 4000,
} as const;
/** A day: whoever waits longer has been forgotten. */
const MOST_MS = 86_400_000;

export type Patience = keyof typeof LEAST_MS;

export function isPatience(setting: Patience, ms: number): boolean {
  return ms >= LEAST_MS[setting] && ms <= MOST_MS;
}

/** `from 100ms to 1d`, for an error. */
export function patienceRange(setting: Patience): string {
  const ms = LEAST_MS[setting];
  return `from ${ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`} to 1d`;
}

/** `from 100 to 86400000`, for an error about a number of milliseconds. */
export function patienceRangeMs(setting: Patience): string {
  return `from ${LEAST_MS[setting]} to ${MOST_MS}`;
}

/** Settings for how long to wait, and their bounds, for the command line, the environment and the SKB alike. */

/** The least value of each, in milliseconds. */
const LEAST_MS = {
  sessionTimeout: 1000,
  /** A shorter one would expire between two beacons of a busy host. */
  lease: 100,
  /** A core asks the SKB every second: a few answers may be late. */
  skbSilence: 4000,
} as const;
/** A day: no user waits longer. */
const MOST_MS = 86_400_000;

export type Patience = keyof typeof LEAST_MS;

export function isPatience(setting: Patience, ms: number): boolean {
  return ms >= LEAST_MS[setting] && ms <= MOST_MS;
}

/** The range for an error text: `from 100ms to 1d`. */
export function patienceRange(setting: Patience): string {
  const ms = LEAST_MS[setting];
  return `from ${ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`} to 1d`;
}

/** The range in milliseconds for an error text: `from 100 to 86400000`. */
export function patienceRangeMs(setting: Patience): string {
  return `from ${LEAST_MS[setting]} to ${MOST_MS}`;
}

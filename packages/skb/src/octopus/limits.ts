/**
 * Bounds of the record store; each with its reason. Those of a single record: `monitor-proto/src/octopus/limits.ts`.
 */
export const OCTOPUS_LIMITS = {
  /** Coordination data, not bulk: with 200 bytes each they fit in 30 MiB. */
  maxRecords: 100_000,
  /** A client that waits for more things at once should watch a pattern. */
  maxTriggersPerClient: 4_096,
  /** Patterns are looked at for every change, so they are fewer. */
  maxPatternTriggers: 10_000,
  maxSubscriptionsPerClient: 1_024,
  /** Answers of get_names: more than this and the client should ask for less. */
  maxNames: 10_000,
} as const;

/**
 * Bounds of the record store; each with its reason. Those of a single record: `monitor-proto/src/octopus/limits.ts`. A
 * *step* is one state of a pattern over one character, or as much work: 10 to 30 ns.
 */
export const OCTOPUS_LIMITS = {
  /** Coordination data, not bulk: at 200 bytes each they fit in 30 MiB. */
  maxRecords: 100_000,
  /**
   * Characters of all records together. An SKB that starts again reads them before it answers anybody: 64 Mi take 2 s;
   * with 800 Mi, a store full of the longest records, it took so long that nobody reached it any more.
   */
  maxRecordChars: 64 << 20,
  /** A client that waits for more things at once should watch a pattern. */
  maxTriggersPerClient: 4_096,
  /** Every change is matched against all patterns, so fewer of them are allowed. */
  maxPatternTriggers: 10_000,
  maxSubscriptionsPerClient: 1_024,
  /** Names in one answer of get_names; a client with more should narrow its pattern. */
  maxNames: 10_000,
  /** Counters kept for names without a record; all other such names share one. */
  maxIdleCounters: 64,
  /** After so many steps the SKB looks after everybody else: after 5 to 15 ms, even in the middle of a match. */
  turnSteps: 500_000,
  /** A query that takes more is refused: 10 s of the SKB's CPU, in turns. All names of a full store take 2 million. */
  querySteps: 500_000_000,
  /** Steps that the patterns of one client's triggers may take for one change; a trigger that exceeds it is removed. */
  watchSteps: 2_000_000,
  /** Looking at one record. */
  recordSteps: 20,
  /** Reading one request, besides a step for each of its characters. */
  requestSteps: 300,
  /** Unsettled answers of one client, in memory and in the journal: more than the requests it may have open. */
  maxUnsettled: 20_000,
  /** The same, in characters: a restart reads them as it reads records. */
  maxUnsettledChars: 8 << 20,
  /** Waiting requests of one client, and their characters. */
  maxWaiting: 20_000,
  maxWaitingChars: 16 << 20,
} as const;

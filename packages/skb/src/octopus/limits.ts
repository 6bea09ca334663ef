/**
 * Bounds of the record store; each with its reason. Those of a single record: `monitor-proto/src/octopus/limits.ts`. A
 * *step* is one state of a pattern over one character, or as much work: 10 to 30 ns.
 */
export const OCTOPUS_LIMITS = {
  /** Coordination data, not bulk: with 200 bytes each they fit in 30 MiB. */
  maxRecords: 100_000,
  /**
   * Characters of all records together. An SKB that starts again reads them before it answers anybody: 64 Mi take 2 s; 800 Mi, a
   * full store of the longest records, took so long that nobody reached it any more.
   */
  maxRecordChars: 64 << 20,
  /** A client that waits for more things at once should watch a pattern. */
  maxTriggersPerClient: 4_096,
  /** Every change is matched against all patterns, so there may be fewer of them. */
  maxPatternTriggers: 10_000,
  maxSubscriptionsPerClient: 1_024,
  /** Answers of get_names: more than this and the client should ask for less. */
  maxNames: 10_000,
  /** Counters of names without a record that are kept; all other such names share one. */
  maxIdleCounters: 64,
  /** Then the SKB looks after everybody else: after 5 to 15 ms, in the middle of a match too. */
  turnSteps: 500_000,
  /** A query that takes more is refused: 10 s of the SKB's CPU, in turns. All names of a full store take 2 million. */
  querySteps: 500_000_000,
  /** What the patterns of one client's triggers may take for one change; the one that goes past it is removed. */
  watchSteps: 2_000_000,
  /** Looking at one record. */
  recordSteps: 20,
  /** Reading one request, besides a step for each of its characters. */
  requestSteps: 300,
  /** Answers that one client has not settled, in memory and in the journal: a client has fewer requests open. */
  maxUnsettled: 20_000,
  /** The same, in characters: they are read at a restart as records are. */
  maxUnsettledChars: 8 << 20,
  /** Requests of one client that wait for their turn, and their characters. */
  maxWaiting: 20_000,
  maxWaitingChars: 16 << 20,
} as const;

/** Bounds of the Prolog engine and of what a query may take; each with its reason. */
export const ENGINE_LIMITS = {
  /**
   * A runaway recursion ends within a second and leaves the process below 300 MiB (1 GiB stacks took 11 s and 1.9 GiB).
   */
  stackMebibytes: 64,
  /** Prolog checks the clock every so many inferences: a few milliseconds of work, under 1 % of its speed. */
  heartbeatInferences: 10_000,
  /** A query without a time limit of its own gets this: longer than any shipped rule needs on 64 cores. */
  defaultTimeLimitMs: 2_000,
  /** The engine runs one query at a time, so none may hold it longer. */
  maxTimeLimitMs: 30_000,
  /** About 10 s of work: the time limit comes first unless a query asks for fewer. */
  defaultInferenceLimit: 50_000_000,
  /** As much as a client prints or a program walks; a truncated answer says so. */
  defaultMaxSolutions: 1_000,
  maxSolutions: 100_000,
  /** Goals are typed or generated; longer texts belong in rules. */
  maxGoalChars: 65_536,
  /** Brackets inside brackets: Prolog's reader recurses, and its stack in WASM overflows past 1,000. */
  maxNesting: 400,
  maxRulesChars: 1_048_576,
  /** All programs of rules together. An engine that starts again reads them before it answers: 4 MiB take some 5 s. */
  maxAllRulesChars: 4 << 20,
  /** Programs of rules, by name. */
  maxRulePrograms: 1_000,
  /** How long past its limit a query may run before the engine is ended: one long built-in, then a restart of 0.5 s. */
  unstoppableGraceMs: 500,
  /** How often a running query is checked; no timer runs while the engine is idle. */
  watchdogMs: 100,
  /** Solutions leave the engine in batches: large enough to be worth a message, small enough to stream. */
  batchSolutions: 64,
  batchMs: 5,
  /** Jobs inside the engine at once, which must run again if it is replaced. */
  maxOutstandingJobs: 256,
  /** Jobs that wait; further ones end in EngineBusy. */
  maxQueuedJobs: 20_000,
  /** How often a job runs again after another one took the engine down. */
  maxRetries: 8,
  /** WASM memory never shrinks: the engine is replaced once the process has grown by this much since it started. */
  maxGrowthMebibytes: 768,
} as const;

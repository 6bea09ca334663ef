/** Bounds of the record store; each with its reason. */
export const OCTOPUS_LIMITS = {
  /** Coordination data, not bulk: with 200 bytes each they fit in 30 MiB. */
  maxRecords: 100_000,
  /** A record travels in one message and is read by people. */
  maxTextChars: 8_192,
  maxNameChars: 256,
  maxAttributes: 64,
  /** A client that waits for more things at once should watch a pattern. */
  maxTriggersPerClient: 4_096,
  /** Patterns are looked at for every change, so they are fewer. */
  maxPatternTriggers: 10_000,
  maxSubscriptionsPerClient: 1_024,
  /** Answers of get_names: more than this and the client should ask for less. */
  maxNames: 10_000,
  /** With the state bound, a match costs at most 256 x 512 steps per character, usually a handful. */
  maxPatternChars: 256,
  maxPatternStates: 512,
  /** `a{3,1000}` is unrolled, so repetition counts are bounded too. */
  maxRepeat: 64,
} as const;

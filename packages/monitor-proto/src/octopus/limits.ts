/** Bounds of records, queries and their regular expressions; each with its reason. */
export const RECORD_LIMITS = {
  /** A record travels in one message and is read by people. */
  maxTextChars: 8_192,
  maxNameChars: 256,
  maxAttributes: 64,
  /** With the state bound, a match costs at most 512 steps per character, usually a handful. */
  maxPatternChars: 256,
  maxPatternStates: 512,
  /** All patterns of a query together: testing one record takes at most this many steps per character. */
  maxQueryStates: 1_024,
  /** `a{3,1000}` is unrolled, so repetition counts are bounded too. */
  maxRepeat: 64,
} as const;

/**
 * The memory that a dispatcher's thread shares with its core: Int32 words, then a box for bytes. The side whose turn it
 * is owns the box: the core puts in a resumption or an answer, the dispatcher a turn or a call.
 */
export const WORDS = {
  /** Counts messages from the core: an idle thread waits here. */
  wake: 0,
  /** 1 while the thread waits for the answer to a call (dispatcher/context/context-main.ts of libmk). */
  asked: 1,
  /** Bytes in the box for the dispatcher; −1: they come over the port. */
  length: 2,
  /** 1: a resumption is ready, in the box or on the port. */
  resumed: 4,
  /** 1: the core asks the dispatcher to yield. */
  interrupt: 3,
} as const;
/** The nice value of a dispatcher's thread or process, so that its core's monitor has priority. */
export const NICE = 10;
/** Where the box begins. */
export const BOX_AT = 32;

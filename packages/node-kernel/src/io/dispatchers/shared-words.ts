/** The memory that a dispatcher's thread shares with its core: Int32 words, then the bytes of an answer. */
export const WORDS = {
  /** Counts what the core has sent: the thread waits here when it has nothing to do. */
  wake: 0,
  /** 1 while the thread waits for the answer to a call (dispatcher/context/context-main.ts of libmk). */
  asked: 1,
  /** How many bytes the answer has. */
  length: 2,
  /** 1: the core asks the dispatcher to give it up. */
  interrupt: 3,
} as const;
/** Where the bytes of answers begin. */
export const ANSWER_AT = 16;

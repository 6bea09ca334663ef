/*
 * The wire format between two ends of the same interface.
 *
 *   call    0 method token timeout request…     timeout: nanoseconds, 0 = none
 *   answer  1 token answer…
 *   refusal 2 token name text
 *   tell    3 method fields…                     a message or an event
 *   cancel  4 token                              nobody waits for this answer any more
 */
export const FORM = { call: 0, answer: 1, refusal: 2, tell: 3, cancel: 4 } as const;

/** Longest name and text of a refusal. */
export const REFUSAL_NAME_BYTES = 64;
export const REFUSAL_TEXT_BYTES = 512;

/** Shortens a text to fit a refusal. */
export function shortened(text: string, mostBytes: number): string {
  return text.length * 3 <= mostBytes ? text : `${text.slice(0, Math.floor(mostBytes / 3) - 1)}…`;
}

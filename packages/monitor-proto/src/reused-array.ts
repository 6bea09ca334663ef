/** Longer arrays are let go of as a whole: they were for a burst. */
const KEPT = 16;

/**
 * Empties an array that is filled again and again, and keeps the memory that it has. `length = 0` gives it back, and the next
 * `push` then takes room for seventeen values: that was much of what a core allocated for a message (decision 0063).
 */
export function clear(array: unknown[]): void {
  if (array.length > KEPT) array.length = 0;
  else while (array.length > 0) array.pop();
}

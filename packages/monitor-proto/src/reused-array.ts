/** Longer arrays are dropped as a whole: they served a burst. */
const KEPT = 16;

/**
 * Empties an array that is filled again and again, and keeps its memory. `length = 0` frees it, and the next `push`
 * allocates room for seventeen values: that was much of what a core allocated for a message (decision 0063).
 */
export function clear(array: unknown[]): void {
  if (array.length > KEPT) array.length = 0;
  else while (array.length > 0) array.pop();
}

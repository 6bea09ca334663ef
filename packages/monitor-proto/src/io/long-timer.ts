/** A call that is to come. */
export interface LongTimer {
  cancel(): void;
}

/** What one timer of Node can wait at the most: 24.8 days. A longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Calls once after the time, be it months, by the monotonic clock. */
export function callAfter(pauseMs: number, call: () => void): LongTimer {
  const dueMs = performance.now() + pauseMs;
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const leftMs = Math.max(0, dueMs - performance.now());
    timer = setTimeout(leftMs > LONGEST_MS ? wait : call, Math.min(leftMs, LONGEST_MS));
  };
  wait();
  return { cancel: () => clearTimeout(timer) };
}

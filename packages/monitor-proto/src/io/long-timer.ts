/** A pending call. */
export interface LongTimer {
  cancel(): void;
  /** Lets the process end despite the timer. */
  unref(): LongTimer;
}

/** The longest wait of one Node timer, in milliseconds: 24.8 days. A longer one would fire at once. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** Calls once after the time, whether it is months or `Infinity` (never), by the monotonic clock. */
export function callAfter(pauseMs: number, call: () => void): LongTimer {
  const dueMs = performance.now() + pauseMs;
  let timer: NodeJS.Timeout;
  let keeps = true;
  const wait = (): void => {
    const leftMs = Math.max(0, dueMs - performance.now());
    timer = setTimeout(leftMs > LONGEST_TIMEOUT_MS ? wait : call, Math.min(leftMs, LONGEST_TIMEOUT_MS));
    if (!keeps) timer.unref();
  };
  wait();
  const handle: LongTimer = {
    cancel: () => clearTimeout(timer),
    unref: () => {
      keeps = false;
      timer.unref();
      return handle;
    },
  };
  return handle;
}

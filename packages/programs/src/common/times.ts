/** Times of repeated measurements in nanoseconds, in the form that every command of the project uses. */
export interface Times {
  readonly count: number;
  readonly min_ns: number;
  readonly p50_ns: number;
  readonly max_ns: number;
}

export function timesOf(samples: readonly number[]): Times {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    count: sorted.length,
    min_ns: sorted[0] ?? 0,
    p50_ns: sorted[sorted.length >> 1] ?? 0,
    max_ns: sorted.at(-1) ?? 0,
  };
}

/** `min 12.3 µs, median 13 µs, max 1.2 ms`. */
export function describeTimes({ min_ns: least, p50_ns: median, max_ns: most }: Times): string {
  return `min ${duration(least)}, median ${duration(median)}, max ${duration(most)}`;
}

export function duration(ns: number): string {
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 1e6) return `${shortened(ns / 1e3)} µs`;
  return ns < 1e9 ? `${shortened(ns / 1e6)} ms` : `${shortened(ns / 1e9)} s`;
}

function shortened(value: number): string {
  return String(Number(value.toPrecision(3)));
}

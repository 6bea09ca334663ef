import { formatDuration } from '@mk/machine/duration';

/** A series of times as a core's verbs answer it; nanoseconds. */
export interface TimeSummary {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly average: number;
}

/** `10 rounds, min 5.76 ms, median …`. */
export function describeTimes({ count, min, p50, p99, max }: TimeSummary, what: string): string {
  const middle = `median ${formatDuration(p50)}, p99 ${formatDuration(p99)}`;
  return `${count} ${what}${count === 1 ? '' : 's'}, min ${formatDuration(min)}, ${middle}, max ${formatDuration(max)}`;
}

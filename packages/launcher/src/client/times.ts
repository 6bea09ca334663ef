import { formatDuration } from '@mk/machine/duration';
import type { TimeSummary } from '@mk/node-kernel/monitor/statistics';
import { counted } from '@mk/machine/counted';

/** `10 rounds, min 5.76 ms, median …`. */
export function describeTimes({ count, min, p50, p99, max }: TimeSummary, what: string): string {
  const middle = `median ${formatDuration(p50)}, p99 ${formatDuration(p99)}`;
  return `${counted(count, what)}, min ${formatDuration(min)}, ${middle}, max ${formatDuration(max)}`;
}

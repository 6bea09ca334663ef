import { known } from '@mk/monitor-proto/assert';

/** The value that a share (0 to 1) of the given ones does not exceed; null when there are none. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return known(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]);
}

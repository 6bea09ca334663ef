import type { Nanos } from '@mk/monitor-proto/ids';

/** How long a plan's fault lasts, for the supervisor: milliseconds, null for ever. */
export function msOf(forNs: Nanos | null): number | null {
  return forNs === null ? null : forNs / 1e6;
}

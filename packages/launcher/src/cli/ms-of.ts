import type { Nanos } from '@mk/monitor-proto/ids';

/** How long a fault of a plan lasts, as the supervisor takes it: milliseconds, null for ever. */
export function msOf(forNs: Nanos | null): number | null {
  return forNs === null ? null : forNs / 1e6;
}

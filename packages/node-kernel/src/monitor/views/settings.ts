import { isWhole } from '@mk/monitor-proto/guards';
import type { Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { DEFAULT_VIEW_SETTINGS, type ViewSettings } from './view.ts';

/** How many proven offences are enough to accuse a member, by the cluster's settings; 0: nobody is accused. */
export function offencesMostOf(settings: string): number {
  const { quarantine }: { readonly quarantine?: unknown } = JSON.parse(settings);
  return isWhole(quarantine, 0) ? quarantine : limit('quarantineOffences');
}

/** T and L by the cluster's settings, which give the length of a lease. */
export function viewSettingsOf(settings: string, hostClockNs: Nanos): ViewSettings {
  const { leaseMs }: { readonly leaseMs?: unknown } = JSON.parse(settings);
  if (typeof leaseMs !== 'number' || !(leaseMs >= 30)) return { ...DEFAULT_VIEW_SETTINGS, hostClockNs };
  const beaconNs = Math.round((leaseMs * 1e6) / 3);
  return { ...DEFAULT_VIEW_SETTINGS, leaseNs: leaseMs * 1e6, beaconNs, hostClockNs };
}

import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { MonitorContext } from '../context.ts';
import type { Member, View, ViewSettings } from './view.ts';
import type { ViewAgreement } from './view-agreement.ts';

/** Membership as one core sees it: the answer to the verb `view`. */
export interface CoreView {
  readonly core: CoreId;
  /** 0: in no view yet. */
  readonly view: number;
  readonly leader: CoreId | null;
  readonly members: readonly Member[];
  readonly fenced: boolean;
  readonly lease_ms: number;
  readonly lease_left_ms: number;
  /** Members whose links to this core seem broken. */
  readonly suspects: readonly CoreId[];
  /** Proven deaths: the highest incarnation of each core that is certainly dead. */
  readonly dead: readonly Member[];
  /** The accused members, and the members that accused them to this core. */
  readonly accused: readonly { readonly core: CoreId; readonly by: readonly CoreId[] }[];
  /** Cores that ask to join, and are heard here. */
  readonly newcomers: readonly CoreId[];
  /** The views that this core has installed, oldest first. */
  readonly history: readonly PastView[];
}

interface PastView {
  readonly view: number;
  readonly leader: CoreId;
  readonly members: number;
  readonly joined: readonly CoreId[];
  /** Cores that ended of their own will, as far as this core has heard. */
  readonly left: readonly CoreId[];
  /** The others that the view goes on without. */
  readonly lost: readonly CoreId[];
  readonly age_ms: number;
}

/** A view as it was installed here. */
export interface Installed {
  readonly view: View;
  readonly at: Nanos;
  readonly joined: readonly number[];
  readonly left: readonly number[];
  readonly lost: readonly number[];
}

/** Membership as a core sees it. */
export function describeView(
  { core, fenced }: MonitorContext,
  agreement: ViewAgreement | null,
  settings: ViewSettings,
  installed: readonly Installed[],
  now: Nanos,
): CoreView {
  const view = agreement?.view ?? null;
  const ms = (ns: Nanos): number => Math.round(ns / 1e6);
  return {
    core,
    view: view?.number ?? 0,
    leader: agreement?.leader ?? null,
    members: view?.members ?? [],
    fenced,
    lease_ms: ms(settings.leaseNs),
    lease_left_ms: agreement === null ? 0 : Math.max(0, ms(agreement.leaseUntil - now)),
    ...(agreement?.sightings(now) ?? { suspects: [], dead: [], accused: [], newcomers: [] }),
    history: installed.map(({ view: { number, leader, members }, at, ...change }) => ({
      view: number,
      leader,
      members: members.length,
      ...change,
      age_ms: ms(now - at),
    })),
  };
}

/** A view: who takes part in global operations, agreed on. */
import type { CoreId, Incarnation, Nanos } from '@mk/monitor-proto/ids';

export interface Member {
  readonly core: CoreId;
  readonly incarnation: Incarnation;
}

export interface View {
  /** 1 is the first; each later one was chosen by a majority of the members of the one before. */
  readonly number: number;
  /** By core, ascending. */
  readonly members: readonly Member[];
  /** Who proposed it. It leads the view without asking, until somebody else is promised a higher ballot. */
  readonly leader: CoreId;
}

/** Names a proposal; a higher round wins, then the higher core. Round 0 belongs to the view's leader. */
export interface Ballot {
  readonly round: number;
  readonly core: CoreId;
}

export interface ViewSettings {
  /** T: pause between two beacons. */
  readonly beaconNs: Nanos;
  /** L: how long a member may act after it sent the answer that its leader has acknowledged. */
  readonly leaseNs: Nanos;
  /** How much faster one clock may run than another, as a fraction. */
  readonly drift: number;
  /** k: how many members each member sends probes to. */
  readonly observers: number;
}

export const DEFAULT_VIEW_SETTINGS: ViewSettings = {
  beaconNs: 500_000_000,
  leaseNs: 1_500_000_000,
  drift: 0.01,
  observers: 4,
};

export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

export function memberIn(view: View, core: CoreId): Member | undefined {
  return view.members.find((member) => member.core === core);
}

export function isMember(view: View, { core, incarnation }: Member): boolean {
  return memberIn(view, core)?.incarnation === incarnation;
}

/** Negative: `a` is the lower ballot. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || a.core - b.core;
}

/** Whom a member sends probes to: the `observers` members after it in the ring of cores. */
export function observersOf(view: View, self: CoreId, observers: number): CoreId[] {
  const cores = view.members.map(({ core }) => core);
  const at = cores.indexOf(self);
  const count = Math.min(observers, cores.length - 1);
  return Array.from({ length: count }, (_, i) => cores[(at + 1 + i) % cores.length]!);
}

/** Who must hear a core, and be heard by it, for it to be taken in beside `cores`: the leader and its neighbours. */
export function neighboursOf(cores: readonly CoreId[], core: CoreId, leader: CoreId, observers: number): CoreId[] {
  const ring = [...cores.filter((other) => other !== core), core].sort((a, b) => a - b);
  const at = ring.indexOf(core);
  const found = new Set([leader]);
  for (let i = 1; i <= Math.min(observers, ring.length - 1); i += 1)
    found.add(ring[(at + i) % ring.length]!).add(ring[(at - i + ring.length) % ring.length]!);
  found.delete(core);
  return [...found];
}

/** Whose probes a member expects. */
export function observedBy(view: View, self: CoreId, observers: number): CoreId[] {
  const cores = view.members.map(({ core }) => core);
  const at = cores.indexOf(self);
  const count = Math.min(observers, cores.length - 1);
  return Array.from({ length: count }, (_, i) => cores[(at - 1 - i + cores.length) % cores.length]!);
}

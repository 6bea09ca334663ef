/** A view: the agreed set of cores that take part in global operations. */
import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Incarnation, Nanos } from '@mk/monitor-proto/ids';

export interface Member {
  readonly core: CoreId;
  readonly incarnation: Incarnation;
}

export interface View {
  /** 1 is the first; a majority of the previous view's members chose each later one. */
  readonly number: number;
  /** By core, ascending. */
  readonly members: readonly Member[];
  /** Its proposer, which leads the view unasked until somebody else is promised a higher ballot. */
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
  /**
   * The reading of the host's clock at time 0: members on one host probe and beacon at the same moments (heartbeat.ts).
   */
  readonly hostClockNs: Nanos;
}

export const DEFAULT_VIEW_SETTINGS: ViewSettings = {
  beaconNs: 500_000_000,
  leaseNs: 1_500_000_000,
  drift: 0.01,
  observers: 4,
  hostClockNs: 0,
};

/**
 * Most views of one epoch: an operator's `force` begins the next, whose views no majority of the previous one chose.
 */
const EPOCH_VIEWS = 100_000;

export function epochOf(number: number): number {
  return Math.floor(number / EPOCH_VIEWS);
}

/** The number of the first view in the epoch after that of `number`. */
export function nextEpoch(number: number): number {
  return (epochOf(number) + 1) * EPOCH_VIEWS + 1;
}

export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

/** The proven deaths, by core: the highest incarnation that is certainly dead. */
export type Deaths = ReadonlyMap<CoreId, number>;

export function isDead(dead: Deaths, { core, incarnation }: Member): boolean {
  return (dead.get(core) ?? 0) >= incarnation;
}

/**
 * Whether the members that have spoken decide for the view: a majority, or all that are not proven dead, while the dead
 * could not have been a majority of their own.
 */
export function isQuorum({ members }: View, said: ReadonlySet<CoreId>, dead: Deaths): boolean {
  if (said.size >= majorityOf(members.length)) return true;
  const gone = members.filter((member) => isDead(dead, member));
  return gone.length < majorityOf(members.length) && isEverybodyLeft(members, said, dead);
}

/** Whether all members that are not proven dead have spoken. */
export function isEverybodyLeft(members: readonly Member[], said: ReadonlySet<CoreId>, dead: Deaths): boolean {
  return members.every((member) => said.has(member.core) || isDead(dead, member));
}

export function memberIn(view: View, core: CoreId): Member | undefined {
  return view.members.find((member) => member.core === core);
}

export function isMember(view: View, { core, incarnation }: Member): boolean {
  return memberIn(view, core)?.incarnation === incarnation;
}

/** Whether two views are the same: number, leader and members. */
export function isSameView(a: View, b: View): boolean {
  const isSame = a.number === b.number && a.leader === b.leader && a.members.length === b.members.length;
  return isSame && a.members.every((member) => isMember(b, member));
}

/** A core's place among the living members: 0 is the first to succeed a dead leader. */
export function rankOf({ members }: View, self: CoreId, dead: Deaths): number {
  return members.filter((member) => !isDead(dead, member)).findIndex(({ core }) => core === self);
}

/**
 * Whether a member of `current`, or of none yet, may install `next`: the view after it, or one of a later epoch that
 * includes the member.
 */
export function mayFollow(current: View | null, next: View, self: Member): boolean {
  if (current === null) return isMember(next, self);
  if (next.number === current.number + 1) return true;
  return epochOf(next.number) > epochOf(current.number) && isMember(next, self);
}

/** Compares ballots; negative: `a` is lower. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || a.core - b.core;
}

/** The members that a member sends probes to: the `observers` members after it in the ring of cores. */
export function observersOf(view: View, self: CoreId, observers: number): CoreId[] {
  const cores = view.members.map(({ core }) => core);
  const at = cores.indexOf(self);
  const count = Math.min(observers, cores.length - 1);
  return Array.from({ length: count }, (_, i) => known(cores[(at + 1 + i) % cores.length]));
}

/** The cores that must hear a newcomer, and be heard by it, before it joins `cores`: the leader and its neighbours. */
export function neighboursOf(cores: readonly CoreId[], core: CoreId, leader: CoreId, observers: number): CoreId[] {
  const ring = [...cores.filter((other) => other !== core), core].sort((a, b) => a - b);
  const at = ring.indexOf(core);
  const found = new Set([leader]);
  for (let i = 1; i <= Math.min(observers, ring.length - 1); i += 1)
    found.add(known(ring[(at + i) % ring.length])).add(known(ring[(at - i + ring.length) % ring.length]));
  found.delete(core);
  return [...found];
}

/** The members whose probes a member expects. */
export function observedBy(view: View, self: CoreId, observers: number): CoreId[] {
  const cores = view.members.map(({ core }) => core);
  const at = cores.indexOf(self);
  const count = Math.min(observers, cores.length - 1);
  return Array.from({ length: count }, (_, i) => known(cores[(at - 1 - i + cores.length) % cores.length]));
}

/** Facts that change while the cluster runs: members, measured round trips, the shape of links. Pure. */
import type { CoreId } from '@mk/monitor-proto/ids';
import type { FactPattern } from './fact.ts';
import { ANY, fact } from './fact.ts';
import type { FactUpdate } from '../engine/skb-engine.ts';

/** One measured direction, nanoseconds; the row of Barrelfish's `message_rtt(From, To, Avg, Var, Min, Max)`. */
export interface RttRow {
  readonly from: number;
  readonly to: number;
  readonly average: number;
  readonly variance: number;
  readonly min: number;
  readonly max: number;
}

/** Replaces the members: `incarnation(Core, Incarnation)` for each, and `nr_running_cores(N)`. */
export function membershipUpdate(members: ReadonlyMap<number, number>): FactUpdate {
  return {
    remove: [pattern('incarnation', 2), pattern('nr_running_cores', 1)],
    add: [
      ...[...members].map(([core, incarnation]) => fact('incarnation', core, incarnation)),
      fact('nr_running_cores', members.size),
    ],
  };
}

/** Replaces the hosts of members: `core_host(Core, Host)`, for those that named theirs. */
export function hostsUpdate(hosts: ReadonlyMap<CoreId, string>): FactUpdate {
  const known = [...hosts].filter(([, host]) => host !== '');
  return { remove: [pattern('core_host', 2)], add: known.map(([core, host]) => fact('core_host', core, host)) };
}

/**
 * Hosts as packages, in place of the assumed ones: `cpu_thread(Core, Package, CoreInPackage, Thread)` for each core.
 */
export function hostThreadsUpdate(packages: ReadonlyMap<CoreId, number>): FactUpdate {
  const taken = new Map<number, number>();
  const threads = [...packages].map(([core, index]) => {
    const place = taken.get(index) ?? 0;
    taken.set(index, place + 1);
    return fact('cpu_thread', core, index, place, 0);
  });
  return { remove: [pattern('cpu_thread', 4)], add: threads };
}

/** That many hosts as packages, each a hop from every other; nobody described what messages between hosts cost. */
export function hostHopsUpdate(hosts: number): FactUpdate {
  const numbers = Array.from({ length: hosts }, (_, index) => index);
  const hops = numbers.flatMap((a) => numbers.map((b) => fact('package_hops', a, b, a === b ? 0 : 1)));
  return { remove: [pattern('package_hops', 3)], add: [...hops, fact('message_cost', 'hop_1', 0, 0, 0)] };
}

/** Replaces the measurements of exactly the pairs given. */
export function rttUpdate(rows: Iterable<RttRow>): FactUpdate {
  const list = [...rows];
  return {
    remove: list.map(({ from, to }) => ({ name: 'message_rtt', args: [from, to, ANY, ANY, ANY, ANY] })),
    add: list.map(({ from, to, average, variance, min, max }) =>
      fact('message_rtt', from, to, average, variance, min, max),
    ),
  };
}

/** Replaces every measurement: cheaper than pair by pair when all were taken. */
export function allRttUpdate(rows: Iterable<RttRow>): FactUpdate {
  return { remove: [pattern('message_rtt', 6)], add: rttUpdate(rows).add ?? [] };
}

/** Drops measurements from and to a core that left. */
export function forgetCoreUpdate(core: CoreId): FactUpdate {
  return {
    remove: [
      { name: 'message_rtt', args: [core, ANY, ANY, ANY, ANY, ANY] },
      { name: 'message_rtt', args: [ANY, core, ANY, ANY, ANY, ANY] },
    ],
  };
}

function pattern(name: string, arity: number): FactPattern {
  return { name, args: Array.from({ length: arity }, () => ANY) };
}

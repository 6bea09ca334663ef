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

/** Replaces who is a member: `incarnation(Core, Incarnation)` for each, and `nr_running_cores(N)`. */
export function membershipUpdate(members: ReadonlyMap<number, number>): FactUpdate {
  return {
    remove: [pattern('incarnation', 2), pattern('nr_running_cores', 1)],
    add: [
      ...[...members].map(([core, incarnation]) => fact('incarnation', core, incarnation)),
      fact('nr_running_cores', members.size),
    ],
  };
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

/** Forgets what was measured from and to a core that left. */
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

import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';

/** One core's turn to measure: both directions between it and each of the others. */
export interface MeasuringTask {
  readonly core: CoreId;
  readonly others: readonly CoreId[];
}

/** Names the relation of two cores: pairs of one relation are expected to be equally far. */
export type RelationOf = (from: CoreId, to: CoreId) => string;

/** By the machine's description; without one by hosts, or by the assumed packages. */
export function relationsOf(
  cluster: { packageOf(core: CoreId): number; readonly packagesAreHosts: boolean },
  machine: { latencyNs(from: CoreId, to: CoreId): Nanos },
): RelationOf {
  return (from, to) => {
    const [a, b] = [cluster.packageOf(from), cluster.packageOf(to)];
    if (cluster.packagesAreHosts) return `${Math.min(a, b)} ${Math.max(a, b)}`;
    return `${machine.latencyNs(from, to)} ${a === b}`;
  };
}

/** Every pair once, or once from each end, at two moments, so that a disturbance of the host spoils only one. */
export function measuringTasks(members: readonly CoreId[], fromEachEnd: boolean): MeasuringTask[] {
  const cores = [...members].sort((a, b) => a - b);
  return cores
    .map((core) => ({ core, others: cores.filter((other) => (fromEachEnd ? other !== core : other > core)) }))
    .filter(({ others }) => others.length > 0);
}

/**
 * Samples the pairs of each core and relation, each pair once: `most` of those that it has, spread over all cores; more
 * where other cores choose it, too.
 */
export function sampledTasks(members: readonly CoreId[], relationOf: RelationOf, most: number): MeasuringTask[] {
  const cores = [...members].sort((a, b) => a - b);
  const taken = new Set<string>();
  const take = (core: CoreId, other: CoreId): boolean => {
    const pair = core < other ? `${core} ${other}` : `${other} ${core}`;
    if (taken.has(pair)) return false;
    taken.add(pair);
    return true;
  };
  const tasks = cores.map((core, place) => {
    const following = [...cores.slice(place + 1), ...cores.slice(0, place)];
    const byRelation = grouped(core, following, relationOf);
    const others = [...byRelation.values()].flatMap((same) => spread(same, most));
    return { core, others: others.filter((other) => take(core, other)) };
  });
  return tasks.filter(({ others }) => others.length > 0);
}

function grouped(core: CoreId, others: readonly CoreId[], relationOf: RelationOf): Map<string, CoreId[]> {
  const groups = new Map<string, CoreId[]>();
  for (const other of others) {
    const relation = relationOf(core, other);
    const group = groups.get(relation);
    if (group === undefined) groups.set(relation, [other]);
    else group.push(other);
  }
  return groups;
}

/** `most` entries at equal distances in the list, the first among them. */
function spread(list: readonly CoreId[], most: number): readonly CoreId[] {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, i) => known(list[Math.floor((i * list.length) / most)]));
}

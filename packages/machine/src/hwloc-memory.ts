import type { CpuSet } from './cpuset.ts';
import { MAX_NODES } from './description.ts';
import type { MemoryCache, NumaNode } from './description.ts';
import { describeElement, setOf, wholeOf } from './hwloc-tree.ts';
import type { HwlocObject, Topology } from './hwloc-tree.ts';
import { Refusal } from './hwloc-xml.ts';
import { shown } from './one-line.ts';

/** A topology's NUMA nodes, and their elements; empty without nodes. */
export interface FoundNodes {
  readonly nodes: readonly NumaNode[];
  readonly objects: readonly HwlocObject[];
}

/**
 * The usable nodes. A node's cores are those of its cpuset, wherever its element stands; without a cpuset, those inside
 * the element, though a memory child of hwloc 2 has none.
 */
export function readNodes(topology: Topology): FoundNodes {
  const all = topology.objects.filter(({ type }) => type === 'NUMANode');
  if (all.length === 0) {
    const cores = topology.pus.map((_, core) => core);
    return { nodes: [{ memoryBytes: machineMemory(topology), cores }], objects: [] };
  }
  if (all.length > MAX_NODES) throw new Refusal(`there are ${all.length} NUMANode elements; at most ${MAX_NODES}`);
  refuseTwins(all);
  const allowed = allowedNodes(topology.root);
  const objects = all.filter((node) => allowed(wholeOf(node, 'os_index')));
  return { objects, nodes: objects.map((object, place) => nodeOf(object, place, topology)) };
}

/** Caches in front of memory: `MemCache` elements around nodes. */
export function readMemoryCaches({ objects }: Topology, nodes: readonly HwlocObject[]): MemoryCache[] {
  const behind = (cache: HwlocObject): number[] =>
    nodes.flatMap((node, place) => (isWithin(node, cache) ? [place] : []));
  return objects
    .filter(({ type }) => type === 'MemCache')
    .map((cache) => ({ bytes: wholeOf(cache, 'cache_size') ?? 0, nodes: behind(cache) }))
    .filter((cache) => cache.nodes.length > 0);
}

function nodeOf(object: HwlocObject, place: number, topology: Topology): NumaNode {
  const set = setOf(object, 'cpuset');
  const cores = set === null ? [...object.cores] : coresIn(set, topology);
  const osIndex = wholeOf(object, 'os_index');
  const subtype = object.attributes['subtype'];
  return {
    memoryBytes: memoryOf(object),
    cores,
    ...(osIndex === null || osIndex === place ? {} : { osIndex }),
    ...(subtype === undefined || subtype === '' ? {} : { subtype: shown(subtype) }),
  };
}

function coresIn(set: CpuSet, { osIndexes }: Topology): number[] {
  return osIndexes.flatMap((index, core) => (set.has(index) ? [core] : []));
}

function refuseTwins(nodes: readonly HwlocObject[]): void {
  const seen = new Set<number>();
  for (const node of nodes) {
    const index = wholeOf(node, 'os_index');
    if (index !== null && seen.has(index)) throw new Refusal(`${describeElement(node)} appears twice`);
    if (index !== null) seen.add(index);
  }
}

/** Like hwloc, drops nodes outside `allowed_nodeset`; an empty set comes from versions that did not fill it in. */
function allowedNodes(root: HwlocObject): (index: number | null) => boolean {
  const set = setOf(root, 'allowed_nodeset');
  return (index) => set === null || set.isEmpty || index === null || set.has(index);
}

/** hwloc 1 puts the memory of a machine without nodes on the Machine. */
function machineMemory({ objects, root }: Topology): number | null {
  return memoryOf(objects.find(({ type }) => type === 'Machine') ?? root);
}

/** hwloc omits the attribute for an unknown amount; 0.9 wrote KiB. */
function memoryOf(object: HwlocObject): number | null {
  const kibibytes = wholeOf(object, 'memory_kB');
  const bytes = wholeOf(object, 'local_memory') ?? (kibibytes === null ? null : kibibytes * 1024);
  if (bytes !== null && !Number.isSafeInteger(bytes))
    throw new Refusal(`${describeElement(object)} has too much memory`);
  return bytes;
}

function isWithin(object: HwlocObject, outer: HwlocObject): boolean {
  for (let up = object.parent; up !== null; up = up.parent) if (up === outer) return true;
  return false;
}

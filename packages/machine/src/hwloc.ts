import type { CacheLevel, MachineCosts, MachineDescription, NumaNode, Package } from './description.ts';
import { describeElement, parseTopology, Refusal } from './hwloc-tree.ts';
import type { HwlocObject, Topology } from './hwloc-tree.ts';
import { hopLevels, interconnectFrom, matrixFor, readMatrices } from './hwloc-distances.ts';
import type { Matrix } from './hwloc-distances.ts';
import { failure, success } from './result.ts';
import type { Result } from './result.ts';

const MIN_PUS = 2;
const MAX_PUS = 256;
/** hwloc leaves memory out where it does not know it. */
const UNKNOWN_MEMORY_BYTES = 2 ** 30;
const UNKNOWN_GHZ = 2;
/** Modelled messages take some 300 ns: this makes them some 3 ms between processes, well above the noise. */
const TIME_SCALE = 10_000;
const PACKAGE_TYPES = ['Package', 'Socket'];
/** Where no package is written down, the largest of these that exists stands for one. */
const PACKAGE_STAND_INS = ['NUMANode', 'Die', 'Group', 'Machine', 'System'];

/**
 * Reads what `lstopo --of xml` writes, hwloc 1.x, 2.x and 3.0: processing units become cores, in the order of the file.
 * The interconnect follows from the distance matrices; message costs are those of amd-8x4, in cycles.
 * The error is one line that names the element.
 */
export function parseHwloc(text: string, what = 'hwloc XML', name = 'hwloc'): Result<MachineDescription> {
  try {
    const topology = parseTopology(text);
    return success(build(topology, name));
  } catch (error) {
    if (error instanceof Refusal) return failure(`${what}: ${error.message}`);
    throw error;
  }
}

function build(topology: Topology, name: string): MachineDescription {
  const { objects, pus } = topology;
  if (pus.length < MIN_PUS) {
    const count = pus.length === 0 ? 'no PU element' : `only one PU element, ${describeElement(pus[0]!)}`;
    throw new Refusal(`there is ${count}; a multikernel needs ${MIN_PUS} to ${MAX_PUS}`);
  }
  if (pus.length > MAX_PUS) throw new Refusal(`there are ${pus.length} PU elements; at most ${MAX_PUS}`);
  const nodeObjects = objects.filter(({ type }) => type === 'NUMANode');
  const nodes = numaNodes(topology, nodeObjects);
  const packageObjects = findPackages(topology);
  const packages = packageObjects.map(({ pus: cores }): Package => ({
    cores,
    numaNode: Math.max(
      0,
      nodes.findIndex((node) => node.cores.includes(cores[0]!)),
    ),
  }));
  const matrices = readMatrices(topology, nodeObjects);
  const nodeMatrix = matrixFor(matrices, nodeObjects);
  const matrix = matrixFor(matrices, packageObjects) ?? perPackage(nodeMatrix, packages);
  const levels = matrix === null || packages.length === 1 ? null : hopLevels(matrix);
  const ghz = clock(objects);
  return {
    name,
    doc: `${pus.length} processing units in ${packages.length} packages, as hwloc saw them; costs are assumed.`,
    ghz,
    packages,
    numaNodes: nodes,
    numaDistances: nodeMatrix ?? [],
    caches: findCaches(objects),
    interconnect: interconnectFrom(matrix, packages.length),
    packageHops: levels?.hops ?? [],
    costs: assumedCosts(ghz, levels?.factors ?? [1]),
    timeScale: TIME_SCALE,
  };
}

/** Each PU belongs to the first node that lists it; a node without PUs of its own is memory only. */
function numaNodes(topology: Topology, found: readonly HwlocObject[]): NumaNode[] {
  const all = topology.pus.map((_, core) => core);
  const machine = topology.objects[0]!;
  if (found.length === 0) return [{ memoryBytes: memoryOf(machine), cores: all }];
  const taken = new Set<number>();
  const nodes = found.map((node) => {
    const cores = node.localPus.filter((core) => !taken.has(core));
    for (const core of cores) taken.add(core);
    return { memoryBytes: memoryOf(node), cores };
  });
  const orphans = all.filter((core) => !taken.has(core));
  if (orphans.length > 0) {
    throw new Refusal(`${describeElement(topology.pus[orphans[0]!]!)} is local to no NUMANode element`);
  }
  return nodes;
}

function memoryOf(object: HwlocObject): number {
  const text = object.attributes['local_memory'];
  if (text === undefined || text === '0') return UNKNOWN_MEMORY_BYTES;
  const bytes = Number(text);
  if (!Number.isFinite(bytes) || bytes < 0) throw new Refusal(`${describeElement(object)} has local_memory="${text}"`);
  return Math.min(bytes, Number.MAX_SAFE_INTEGER);
}

/** The packages that hold PUs; where the file knows none, whatever comes closest. */
function findPackages(topology: Topology): HwlocObject[] {
  const { objects, pus } = topology;
  const found = objects.filter(({ type, pus: cores }) => PACKAGE_TYPES.includes(type) && cores.length > 0);
  if (found.length > 0) {
    requireCover(topology, found);
    return found;
  }
  for (const type of PACKAGE_STAND_INS) {
    const standIns = objects.filter(
      (object) => object.type === type && object.pus.length > 0 && !insideOwnType(object),
    );
    if (standIns.reduce((sum, { pus: cores }) => sum + cores.length, 0) === pus.length) return standIns;
  }
  throw new Refusal('there is no Package element, and none that could stand for one');
}

function insideOwnType(object: HwlocObject): boolean {
  for (let up = object.parent; up !== null; up = up.parent) if (up.type === object.type) return true;
  return false;
}

function requireCover(topology: Topology, packages: readonly HwlocObject[]): void {
  const owner = new Map<number, HwlocObject>();
  for (const object of packages) {
    for (const core of object.pus) {
      if (owner.has(core)) throw new Refusal(`${describeElement(object)} lies within another ${object.type} element`);
      owner.set(core, object);
    }
  }
  const outside = topology.pus.find((_, core) => !owner.has(core));
  if (outside !== undefined) throw new Refusal(`${describeElement(outside)} lies outside every Package element`);
}

/** Data and unified caches; without any, the PUs of one Core element still share its first level. */
function findCaches(objects: readonly HwlocObject[]): CacheLevel[] {
  const levels = new Map<string, { level: number; bytes: number; groups: number[][] }>();
  const add = (level: number, bytes: number, cores: number[]) => {
    const key = `${level} ${bytes}`;
    const entry = levels.get(key) ?? { level, bytes, groups: [] };
    levels.set(key, entry);
    entry.groups.push(cores);
  };
  for (const object of objects) {
    const level = cacheLevel(object);
    const bytes = Number(object.attributes['cache_size'] ?? 0) || 0;
    if (level !== null && object.pus.length > 0) add(level, bytes, object.pus);
  }
  if (levels.size === 0) {
    for (const { type, pus } of objects) if (type === 'Core' && pus.length > 1) add(1, 0, pus);
  }
  return [...levels.values()].sort((a, b) => a.level - b.level || a.bytes - b.bytes);
}

/** `L2Cache` of hwloc 2, `Cache` with a depth of hwloc 1; null for instruction caches and everything else. */
function cacheLevel({ type, attributes }: HwlocObject): number | null {
  if (attributes['cache_type'] === '2') return null;
  const level = type === 'Cache' ? attributes['depth'] : /^L([1-5])d?Cache$/.exec(type)?.[1];
  return level === undefined || !/^[1-5]$/.test(level) ? null : Number(level);
}

/** The clock that the processor's name tells, as in `Xeon E5 @ 2.70GHz`. */
function clock(objects: readonly HwlocObject[]): number {
  for (const { infos } of objects) {
    const told = /@ *(\d+(?:\.\d+)?) *GHz/i.exec(infos['CPUModel'] ?? '');
    if (told !== null && Number(told[1]) > 0) return Number(told[1]);
  }
  return UNKNOWN_GHZ;
}

/** The distance of two packages is that of their nodes. */
function perPackage(matrix: Matrix | null, packages: readonly Package[]): Matrix | null {
  if (matrix === null) return null;
  return packages.map(({ numaNode: a }) => packages.map(({ numaNode: b }) => matrix[a]![b]!));
}

/**
 * Costs in cycles as machines/amd-8x4.yaml has them: 538 within a package, 613 one hop away. Farther levels add to the
 * 538 in proportion to their distance: the matrix says how far, not how long a message takes.
 */
function assumedCosts(ghz: number, factors: readonly number[]): MachineCosts {
  const ns = (sharedCache: number, samePackage: number, hops: readonly number[]) => ({
    sameCore: 0,
    sharedCache: sharedCache / ghz,
    samePackage: samePackage / ghz,
    hops: hops.map((cycles) => cycles / ghz),
  });
  return {
    send: ns(
      40,
      60,
      factors.map(() => 140),
    ),
    receive: ns(
      60,
      60,
      factors.map(() => 60),
    ),
    latency: ns(
      438,
      460,
      factors.map((factor) => 338 + 75 * factor),
    ),
    gap: ns(
      361,
      361,
      factors.map(() => 361),
    ),
    lrpc: 1549 / ghz,
  };
}

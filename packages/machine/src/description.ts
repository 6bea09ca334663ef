import { known } from '@mk/monitor-proto/assert';

/**
 * The parts of a machine, and what messages on it cost. Plain data: the launcher hands it to the SKB as JSON. Cores are
 * numbered 0 … n−1; so are packages and NUMA nodes, by their place in the lists.
 */
export interface MachineDescription {
  readonly name: string;
  /** One sentence: what it models and where the numbers come from. */
  readonly doc: string;
  /** Clock rate, to convert between nanoseconds and cycles. */
  readonly ghz: number;
  readonly packages: readonly Package[];
  /** Each core's place in the hardware. Empty: every core is a whole physical core, and its OS index is its number. */
  readonly processors: readonly Processor[];
  readonly numaNodes: readonly NumaNode[];
  /**
   * Relative memory distance, 10 on the diagonal as in firmware tables; null where unknown. Empty: assumed from
   * nearness (`Machine.numaDistance`).
   */
  readonly numaDistances: readonly (readonly (number | null)[])[];
  /**
   * Distances between NUMA nodes that count as one hop, two hops, …, ascending, even within a package. Empty: hops are
   * counted between packages.
   */
  readonly hopDistances: readonly number[];
  readonly caches: readonly CacheLevel[];
  readonly memoryCaches: readonly MemoryCache[];
  /** Dies and other groups of cores below or above packages, as the file names them. */
  readonly groups: readonly CoreGroup[];
  /** Kinds of cores, when there are several (P and E cores, big.LITTLE). */
  readonly coreKinds: readonly CoreKind[];
  /** Links between packages; `full`: each to every other. */
  readonly interconnect: 'full' | readonly (readonly [number, number])[];
  /** Hops between packages, row by row, where a file gives them. Empty: the shortest path over `interconnect`. */
  readonly packageHops: readonly (readonly number[])[];
  readonly costs: MachineCosts;
  /** Wall-clock nanoseconds per modelled nanosecond when cores are processes. */
  readonly timeScale: number;
}

export interface Package {
  readonly cores: readonly number[];
  /**
   * The node of its first core; null if that core is local to none. A package may span several nodes, and a node
   * several packages.
   */
  readonly numaNode: number | null;
}

/** A processing unit: thread `thread` of the physical core `core` of its package; the OS calls it `osIndex`. */
export interface Processor {
  readonly osIndex: number;
  readonly core: number;
  readonly thread: number;
}

export interface NumaNode {
  /** Null: unknown. */
  readonly memoryBytes: number | null;
  /** The cores local to it; empty for memory without any. A core may be local to several nodes. */
  readonly cores: readonly number[];
  /** The OS's number for it; absent: its place in the list. */
  readonly osIndex?: number;
  /** DRAM, HBM, CXL, …, if the file says so. */
  readonly subtype?: string;
}

/** All caches of one level and size; each group of cores shares one. `bytes` 0: unknown size. */
export interface CacheLevel {
  readonly level: number;
  readonly bytes: number;
  readonly groups: readonly (readonly number[])[];
}

/** A cache in front of the memory of some nodes. */
export interface MemoryCache {
  readonly bytes: number;
  readonly nodes: readonly number[];
}

export interface CoreGroup {
  readonly type: 'die' | 'group';
  /** The file's name for it: a subtype or a name; '' when it has none. */
  readonly name: string;
  readonly osIndex: number | null;
  readonly cores: readonly number[];
}

export interface CoreKind {
  readonly name: string;
  readonly cores: readonly number[];
  /** The speed of this kind of core, relative to the fastest: above 0, at most 1. */
  readonly speed: number;
}

/**
 * What a message costs, in nanoseconds, by the distance between two cores. From call to delivery it takes send +
 * latency + receive; `send` occupies the sender and `receive` the receiver; a channel accepts the next message after
 * `gap`.
 */
export interface MachineCosts {
  readonly send: RelationCosts;
  readonly receive: RelationCosts;
  readonly latency: RelationCosts;
  readonly gap: RelationCosts;
  /** A call between two domains of one core and back. */
  readonly lrpc: number;
}

/** One cache and the cores that share it. */
export interface CacheInstance {
  readonly level: number;
  readonly bytes: number;
  readonly cores: readonly number[];
}

export interface RelationCosts {
  readonly sameCore: number;
  readonly sharedCache: number;
  readonly samePackage: number;
  /** One hop, two hops, …; the last entry covers all greater distances. */
  readonly hops: readonly number[];
}

export const FREE: RelationCosts = { sameCore: 0, sharedCache: 0, samePackage: 0, hops: [0] };

/** A machine of which only the cores are known: readers start from it. */
export const BARE = {
  processors: [],
  numaDistances: [],
  hopDistances: [],
  caches: [],
  memoryCaches: [],
  groups: [],
  coreKinds: [],
  packageHops: [],
} as const satisfies Partial<MachineDescription>;

/**
 * Most cores, and most NUMA nodes, of one description: two EPYC 9754 have 512 threads, the largest public topology file
 * 1,024.
 */
export const MAX_CORES = 1024;
export const MAX_NODES = 1024;

/** A longer message time is a typing error: the farthest links of `wan` take 140 ms. */
const MAX_MESSAGE_NS = 60e9;

/** How many cores the machine has. */
export function coreCount(description: MachineDescription): number {
  return description.packages.reduce((sum, { cores }) => sum + cores.length, 0);
}

/** Every cache separately, largest level first, for topology facts. */
export function cacheInstances(description: MachineDescription): readonly CacheInstance[] {
  return [...description.caches]
    .sort((a, b) => b.level - a.level)
    .flatMap(({ level, bytes, groups }) => groups.map((cores) => ({ level, bytes, cores })));
}

/** Nanoseconds as cycles of this machine. */
export function nsToCycles(description: MachineDescription, ns: number): number {
  return ns * description.ghz;
}

/** Says in one line why no cluster can wait for this machine's messages at that scale; null if one can. */
export function checkMessageTimes({ costs }: MachineDescription, timeScale: number): string | null {
  const { send, latency, receive, gap } = costs;
  const longest = [send, latency, receive, gap]
    .map(({ sameCore, sharedCache, samePackage, hops }) => Math.max(sameCore, sharedCache, samePackage, ...hops))
    .reduce((sum, ns) => sum + ns, costs.lrpc);
  const scaled = longest * Math.max(1, timeScale);
  if (scaled <= MAX_MESSAGE_NS) return null;
  return `a message would take up to ${scaled.toPrecision(3)} ns at a time scale of ${timeScale}; at most ${MAX_MESSAGE_NS / 1e9} s`;
}

/** Lists the links between packages. */
export function linksOf({ interconnect, packages }: MachineDescription): readonly (readonly [number, number])[] {
  return interconnect === 'full' ? everyPair(packages.length) : interconnect;
}

/** How many links there are, without listing them. */
export function linkCount({ interconnect, packages }: MachineDescription): number {
  return interconnect === 'full' ? (packages.length * (packages.length - 1)) / 2 : interconnect.length;
}

function everyPair(count: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let a = 0; a < count; a++) for (let b = a + 1; b < count; b++) pairs.push([a, b]);
  return pairs;
}

/** Neighbours of every package. */
export function adjacency(
  packages: number,
  edges: readonly (readonly [number, number])[],
): readonly (readonly number[])[] {
  const neighbours: number[][] = Array.from({ length: packages }, () => []);
  for (const [a, b] of edges) {
    known(neighbours[a]).push(b);
    known(neighbours[b]).push(a);
  }
  return neighbours;
}

/** Hops from one package to each, breadth first; −1 where there is no way. */
export function hopsFrom(start: number, neighbours: readonly (readonly number[])[]): Int16Array {
  const hops = new Int16Array(neighbours.length).fill(-1);
  hops[start] = 0;
  const queue = [start];
  for (let i = 0; i < queue.length; i++) {
    for (const next of known(neighbours[known(queue[i])])) {
      if (known(hops[next]) >= 0) continue;
      hops[next] = known(hops[known(queue[i])]) + 1;
      queue.push(next);
    }
  }
  return hops;
}

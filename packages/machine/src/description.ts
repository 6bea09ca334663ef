/**
 * What a machine is made of and what messages on it cost. Plain data: it travels to every core as JSON.
 * Cores are numbered 0 … n−1; so are packages and NUMA nodes, by their place in the lists.
 */
export interface MachineDescription {
  readonly name: string;
  /** One sentence: what it models, and where the numbers are from. */
  readonly doc: string;
  /** Clock, to turn nanoseconds into cycles and back. */
  readonly ghz: number;
  readonly packages: readonly Package[];
  readonly numaNodes: readonly NumaNode[];
  /** Relative memory distance, 10 on the diagonal; empty: follows from the hops between packages. */
  readonly numaDistances: readonly (readonly number[])[];
  readonly caches: readonly CacheLevel[];
  /** Links between packages. */
  readonly interconnect: readonly (readonly [number, number])[];
  /** Hops between packages, row by row, where they are known otherwise; empty: the fewest links on a way. */
  readonly packageHops: readonly (readonly number[])[];
  readonly costs: MachineCosts;
  /** How many wall nanoseconds a modelled one takes when cores are processes. */
  readonly timeScale: number;
}

export interface Package {
  readonly cores: readonly number[];
  /** The node of its first core: a package may have several, and a node several packages. */
  readonly numaNode: number;
}

export interface NumaNode {
  readonly memoryBytes: number;
  /** The cores that are local to it; empty for memory that has none. */
  readonly cores: readonly number[];
}

/** All caches of one level and size: each group of cores shares one. */
export interface CacheLevel {
  readonly level: number;
  readonly bytes: number;
  readonly groups: readonly (readonly number[])[];
}

/**
 * What a message costs, in nanoseconds, by how far apart two cores are. A message takes send + latency + receive from
 * call to delivery; a sender is busy for `send`, a receiver for `receive`; a channel takes the next after `gap`.
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
  /** One hop, two hops, …; farther packages cost what the last entry says. */
  readonly hops: readonly number[];
}

export const FREE: RelationCosts = { sameCore: 0, sharedCache: 0, samePackage: 0, hops: [0] };

/** How many cores the machine has. */
export function coreCount(description: MachineDescription): number {
  return description.packages.reduce((sum, { cores }) => sum + cores.length, 0);
}

/** Every cache by itself, largest level first, as topology facts want them. */
export function cacheInstances(description: MachineDescription): readonly CacheInstance[] {
  return [...description.caches]
    .sort((a, b) => b.level - a.level)
    .flatMap(({ level, bytes, groups }) => groups.map((cores) => ({ level, bytes, cores })));
}

/** Cycles of this machine as nanoseconds. */
export function cyclesToNs(description: MachineDescription, cycles: number): number {
  return cycles / description.ghz;
}

/** Nanoseconds as cycles of this machine. */
export function nsToCycles(description: MachineDescription, ns: number): number {
  return ns * description.ghz;
}

/** Neighbours of every package. */
export function adjacency(
  packages: number,
  edges: readonly (readonly [number, number])[],
): readonly (readonly number[])[] {
  const neighbours: number[][] = Array.from({ length: packages }, () => []);
  for (const [a, b] of edges) {
    neighbours[a]!.push(b);
    neighbours[b]!.push(a);
  }
  return neighbours;
}

/** Hops from one package to each, breadth first; −1 where there is no way. */
export function hopsFrom(start: number, neighbours: readonly (readonly number[])[]): Int16Array {
  const hops = new Int16Array(neighbours.length).fill(-1);
  hops[start] = 0;
  const queue = [start];
  for (let i = 0; i < queue.length; i++) {
    for (const next of neighbours[queue[i]!]!) {
      if (hops[next]! >= 0) continue;
      hops[next] = hops[queue[i]!]! + 1;
      queue.push(next);
    }
  }
  return hops;
}

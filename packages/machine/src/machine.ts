import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { adjacency, coreCount, hopsFrom, linksOf } from './description.ts';
import type { MachineDescription, RelationCosts } from './description.ts';
import { nearestNodes } from './nearest-node.ts';

/** The relation of two cores: `hop_1` is one link between their packages, and so on. */
export type Relation = 'same_core' | 'shared_cache' | 'same_package' | `hop_${number}`;

const SAME_CORE = 0;
const SHARED_CACHE = 1;
const SAME_PACKAGE = 2;
/** From here on, relation numbers count hops: 3 is one hop. */
const HOPS_AFTER = 2;
const MAX_HOPS = 250;
/** Distances that firmware tables use: 10 is local. */
const LOCAL_DISTANCE = 10;
const DISTANCE_PER_HOP = 6;
/** To another node of one's own package, without a matrix: between local and one hop. */
const DISTANCE_WITHIN_PACKAGE = 13;
const NO_NODE = -1;

/**
 * A machine description with look-ups for hot loops: after the first question about a core, each is two array reads.
 * Rows are made on first use, one byte per pair: 1 MiB for 1,024 cores if every core asks about every other.
 */
export class Machine {
  readonly description: MachineDescription;
  readonly cores: number;
  readonly lrpcNs: Nanos;
  private readonly packages: Uint16Array;
  private readonly nodes: Int16Array;
  private readonly sharedCaches: readonly (readonly number[])[][];
  private neighbours: readonly (readonly number[])[] | null = null;
  /** The packages that each node's cores belong to. */
  private readonly nodePackages: readonly (readonly number[])[];
  private readonly speeds: Float64Array;
  private readonly hopRows: (Int16Array | undefined)[] = [];
  private readonly rows: (Uint8Array | undefined)[] = [];
  private readonly latency: Float64Array;
  private readonly send: Float64Array;
  private readonly receive: Float64Array;
  private readonly gap: Float64Array;

  constructor(description: MachineDescription) {
    this.description = description;
    this.cores = coreCount(description);
    this.lrpcNs = description.costs.lrpc;
    this.packages = new Uint16Array(this.cores);
    description.packages.forEach(({ cores }, p) =>
      cores.forEach((core) => {
        this.packages[core] = p;
      }),
    );
    this.nodes = Int16Array.from(nearestNodes(description.numaNodes, this.cores), (node) => node ?? NO_NODE);
    this.nodePackages = description.numaNodes.map(({ cores }) => [
      ...new Set(cores.map((core) => known(this.packages[core]))),
    ]);
    this.speeds = new Float64Array(this.cores).fill(1);
    for (const { cores, speed } of description.coreKinds) for (const core of cores) this.speeds[core] = speed;
    this.sharedCaches = Array.from({ length: this.cores }, () => []);
    for (const group of description.caches.flatMap(({ groups }) => groups)) {
      if (group.length > 1) for (const core of group) known(this.sharedCaches[core]).push(group);
    }
    this.latency = tabulate(description.costs.latency);
    this.send = tabulate(description.costs.send);
    this.receive = tabulate(description.costs.receive);
    this.gap = tabulate(description.costs.gap);
  }

  relation(a: number, b: number): Relation {
    const number = this.relationNumber(a, b);
    if (number > HOPS_AFTER) return `hop_${number - HOPS_AFTER}`;
    return number === SAME_CORE ? 'same_core' : number === SHARED_CACHE ? 'shared_cache' : 'same_package';
  }

  /** 0 same core, 1 shared cache, 2 same package, 2 + h: h hops away. */
  relationNumber(a: number, b: number): number {
    return known((this.rows[a] ?? this.makeRow(a))[b]);
  }

  /** Links between two cores; 0 within a package, or within a node if nodes are distinguished. */
  hops(a: number, b: number): number {
    return Math.max(0, this.relationNumber(a, b) - HOPS_AFTER);
  }

  /** Time in flight, without the sender's and the receiver's occupancy. */
  latencyNs(a: number, b: number): number {
    return known(this.latency[this.relationNumber(a, b)]);
  }

  /** A slower core is busy for longer. */
  sendOccupancyNs(a: number, b: number): number {
    return known(this.send[this.relationNumber(a, b)]) / known(this.speeds[a]);
  }

  receiveOccupancyNs(a: number, b: number): number {
    return known(this.receive[this.relationNumber(a, b)]) / known(this.speeds[b]);
  }

  /** A core's speed, relative to the fastest kind. */
  speedOf(core: CoreId): number {
    return known(this.speeds[core]);
  }

  /** Minimum time between two messages on one channel: the inverse of its throughput. */
  gapNs(a: number, b: number): number {
    return known(this.gap[this.relationNumber(a, b)]);
  }

  /** One message from call to delivery on an idle machine. */
  oneWayNs(a: number, b: number): number {
    return this.sendOccupancyNs(a, b) + this.latencyNs(a, b) + this.receiveOccupancyNs(a, b);
  }

  /** The delay of a link between two processes that models this pair: the one-way time, scaled. */
  wallDelayNs(a: number, b: number, timeScale = this.description.timeScale): number {
    return Math.round(this.oneWayNs(a, b) * timeScale);
  }

  packageOf(core: CoreId): number {
    return known(this.packages[core]);
  }

  coresOfPackage(index: number): readonly number[] {
    return known(this.description.packages[index]).cores;
  }

  /** The node from which a core takes its memory; −1: it is local to none. */
  numaNodeOf(core: CoreId): number {
    return known(this.nodes[core]);
  }

  /** Links between two packages. */
  packageHops(a: number, b: number): number {
    return known((this.hopRows[a] ?? this.makeHopRow(a))[b]);
  }

  /**
   * Relative memory distance between two NUMA nodes, 10 when local. Where unknown: 10 between nodes local to the same
   * cores, 13 within a package, 16 and 6 more for each further hop between packages.
   */
  numaDistance(a: number, b: number): number {
    const given = this.description.numaDistances[a]?.[b] ?? null;
    if (given !== null) return given;
    if (a === b || this.sameCores(a, b)) return LOCAL_DISTANCE;
    const [here, there] = [known(this.nodePackages[a]), known(this.nodePackages[b])];
    if (here.some((index) => there.includes(index))) return DISTANCE_WITHIN_PACKAGE;
    const hops = here.flatMap((from) => there.map((to) => this.packageHops(from, to)));
    return LOCAL_DISTANCE + DISTANCE_PER_HOP * hops.reduce((fewest, hop) => Math.min(fewest, hop), hops[0] ?? 1);
  }

  /**
   * Hops between cores of two nodes, or of one node and two packages, where distances are known; else null, and hops
   * are those between packages.
   */
  nodeHops(a: number, b: number): number | null {
    return this.description.hopDistances.length === 0 ? null : this.levelBetween(a, b);
  }

  /** The most hops between any two cores. */
  mostHops(): number {
    const { packages, hopDistances, interconnect, packageHops } = this.description;
    if (interconnect === 'full' && packageHops.length === 0 && hopDistances.length === 0)
      return packages.length > 1 ? 1 : 0;
    return packages.reduce(
      (most, _, index) => packages.reduce((m, __, to) => Math.max(m, this.packageHops(index, to)), most),
      hopDistances.length,
    );
  }

  private sameCores(a: number, b: number): boolean {
    const [here, there] = [known(this.description.numaNodes[a]).cores, known(this.description.numaNodes[b]).cores];
    return here.length > 0 && here.length === there.length && here.every((core, place) => core === there[place]);
  }

  private makeHopRow(index: number): Int16Array {
    const { description } = this;
    const given = description.packageHops[index];
    if (given !== undefined) return (this.hopRows[index] = Int16Array.from(given, (hops) => Math.min(hops, MAX_HOPS)));
    const row = this.linkedHops(index);
    if (description.hopDistances.length > 0) this.nearestHops(index, row);
    return (this.hopRows[index] = row);
  }

  private linkedHops(index: number): Int16Array {
    const count = this.description.packages.length;
    if (this.description.interconnect === 'full') return new Int16Array(count).fill(1).fill(0, index, index + 1);
    this.neighbours ??= adjacency(count, linksOf(this.description));
    const row = hopsFrom(index, this.neighbours);
    // Packages without a path count as one hop beyond the farthest: messages always find a way.
    const beyond = row.reduce((most, hops) => Math.max(most, hops), 0) + 1;
    return row.map((hops) => Math.min(hops < 0 ? beyond : hops, MAX_HOPS));
  }

  /** Two packages are as far apart as their nearest nodes, where distances are known. */
  private nearestHops(index: number, row: Int16Array): void {
    const told = new Int16Array(row.length).fill(MAX_HOPS + 1);
    for (const from of this.nodesOfPackage(index)) {
      for (let to = 0; to < row.length; to++) {
        for (const node of to === index ? [] : this.nodesOfPackage(to)) {
          told[to] = Math.min(known(told[to]), this.levelBetween(from, node) ?? MAX_HOPS + 1);
        }
      }
    }
    told.forEach((hops, to) => {
      if (hops <= MAX_HOPS) row[to] = hops;
    });
  }

  private nodesOfPackage(index: number): readonly number[] {
    this.packageNodes[index] ??= [...new Set(this.coresOfPackage(index).map((core) => known(this.nodes[core])))];
    return this.packageNodes[index];
  }
  private readonly packageNodes: (readonly number[])[] = [];

  /** Hops between cores of two different places, by their nodes' distance; null where unknown. */
  private levelBetween(a: number, b: number): number | null {
    const distance = this.description.numaDistances[a]?.[b] ?? null;
    if (distance === null) return null;
    let hops = 0;
    for (const threshold of this.description.hopDistances) if (threshold <= distance) hops += 1;
    return Math.max(1, hops);
  }

  private makeRow(a: number): Uint8Array {
    if (!(a >= 0 && a < this.cores)) throw new RangeError(`machine ${this.description.name} has no core ${a}`);
    const row = new Uint8Array(this.cores);
    const [own, node] = [known(this.packages[a]), known(this.nodes[a])];
    const byDistance = this.description.hopDistances.length > 0;
    for (let b = 0; b < this.cores; b++) {
      const other = known(this.packages[b]);
      const samePlace = own === other && node === this.nodes[b];
      const told = byDistance && !samePlace ? this.levelBetween(node, known(this.nodes[b])) : null;
      if (told === null) row[b] = own === other ? SAME_PACKAGE : HOPS_AFTER + this.packageHops(own, other);
      else row[b] = HOPS_AFTER + told;
    }
    for (const group of known(this.sharedCaches[a])) {
      // Where firmware gives a distance between cores that share a cache, the distance determines the cost.
      for (const core of group) if (!byDistance || row[core] === SAME_PACKAGE) row[core] = SHARED_CACHE;
    }
    row[a] = SAME_CORE;
    this.rows[a] = row;
    return row;
  }
}

/** Costs by relation number. */
function tabulate(costs: RelationCosts): Float64Array {
  const table = new Float64Array(HOPS_AFTER + MAX_HOPS + 1);
  table[SAME_CORE] = costs.sameCore;
  table[SHARED_CACHE] = costs.sharedCache;
  table[SAME_PACKAGE] = costs.samePackage;
  for (let hop = 1; hop <= MAX_HOPS; hop++) {
    table[HOPS_AFTER + hop] = costs.hops[Math.min(hop, costs.hops.length) - 1] ?? 0;
  }
  return table;
}

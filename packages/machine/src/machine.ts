import { adjacency, coreCount, hopsFrom } from './description.ts';
import type { MachineDescription, RelationCosts } from './description.ts';

/** How two cores stand to one another: `hop_1` is one link between their packages, and so on. */
export type Relation = 'same_core' | 'shared_cache' | 'same_package' | `hop_${number}`;

const SAME_CORE = 0;
const SHARED_CACHE = 1;
const SAME_PACKAGE = 2;
/** Relation numbers past this are hops: 3 is one hop. */
const HOPS_AFTER = 2;
const MAX_HOPS = 250;
/** Distances that firmware tables use: 10 is local. */
const LOCAL_DISTANCE = 10;
const DISTANCE_PER_HOP = 6;

/**
 * A machine description with look-ups for hot loops: after the first question about a core, each is two array reads.
 * Rows are made on first use, one byte per pair: 1 MiB for 1,024 cores if every core asks about every other.
 */
export class Machine {
  readonly description: MachineDescription;
  readonly cores: number;
  readonly lrpcNs: number;
  private readonly packages: Uint16Array;
  private readonly nodes: Int16Array;
  private readonly sharedCaches: readonly (readonly number[])[][];
  private readonly neighbours: readonly (readonly number[])[];
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
    this.nodes = new Int16Array(this.cores).fill(0);
    description.numaNodes.forEach(({ cores }, node) =>
      cores.forEach((core) => {
        this.nodes[core] = node;
      }),
    );
    this.sharedCaches = Array.from({ length: this.cores }, () => []);
    for (const group of description.caches.flatMap(({ groups }) => groups)) {
      if (group.length > 1) for (const core of group) this.sharedCaches[core]!.push(group);
    }
    this.neighbours = adjacency(description.packages.length, description.interconnect);
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
    return (this.rows[a] ?? this.makeRow(a))[b]!;
  }

  /** Links between the packages of two cores; 0 within a package. */
  hops(a: number, b: number): number {
    return Math.max(0, this.relationNumber(a, b) - HOPS_AFTER);
  }

  /** Time under way, between what occupies the sender and what occupies the receiver. */
  latencyNs(a: number, b: number): number {
    return this.latency[this.relationNumber(a, b)]!;
  }

  sendOccupancyNs(a: number, b: number): number {
    return this.send[this.relationNumber(a, b)]!;
  }

  receiveOccupancyNs(a: number, b: number): number {
    return this.receive[this.relationNumber(a, b)]!;
  }

  /** Least time between two messages on one channel: the inverse of its throughput. */
  gapNs(a: number, b: number): number {
    return this.gap[this.relationNumber(a, b)]!;
  }

  /** One message from call to delivery on an idle machine. */
  oneWayNs(a: number, b: number): number {
    const number = this.relationNumber(a, b);
    return this.send[number]! + this.latency[number]! + this.receive[number]!;
  }

  /** What a link between two processes is delayed by to stand for this pair: the one-way time, scaled. */
  wallDelayNs(a: number, b: number, timeScale = this.description.timeScale): number {
    return Math.round(this.oneWayNs(a, b) * timeScale);
  }

  packageOf(core: number): number {
    return this.packages[core]!;
  }

  coresOfPackage(index: number): readonly number[] {
    return this.description.packages[index]!.cores;
  }

  numaNodeOf(core: number): number {
    return this.nodes[core]!;
  }

  /** Links between two packages. */
  packageHops(a: number, b: number): number {
    return (this.hopRows[a] ?? this.makeHopRow(a))[b]!;
  }

  /** Relative memory distance between two NUMA nodes, 10 when local. */
  numaDistance(a: number, b: number): number {
    const given = this.description.numaDistances[a]?.[b];
    if (given !== undefined) return given;
    if (a === b) return LOCAL_DISTANCE;
    const [here, there] = [a, b].map((node) => this.packageOf(this.description.numaNodes[node]!.cores[0] ?? 0));
    return LOCAL_DISTANCE + DISTANCE_PER_HOP * Math.max(1, this.packageHops(here!, there!));
  }

  private makeHopRow(index: number): Int16Array {
    const given = this.description.packageHops[index];
    if (given !== undefined) return (this.hopRows[index] = Int16Array.from(given, (hops) => Math.min(hops, MAX_HOPS)));
    const row = hopsFrom(index, this.neighbours);
    // Packages without a way count as one farther than the farthest: messages always find one.
    const beyond = row.reduce((most, hops) => Math.max(most, hops), 0) + 1;
    return (this.hopRows[index] = row.map((hops) => Math.min(hops < 0 ? beyond : hops, MAX_HOPS)));
  }

  private makeRow(a: number): Uint8Array {
    if (!(a >= 0 && a < this.cores)) throw new RangeError(`machine ${this.description.name} has no core ${a}`);
    const row = new Uint8Array(this.cores);
    const own = this.packages[a]!;
    for (let b = 0; b < this.cores; b++) {
      const other = this.packages[b]!;
      row[b] = own === other ? SAME_PACKAGE : HOPS_AFTER + this.packageHops(own, other);
    }
    for (const group of this.sharedCaches[a]!) for (const core of group) row[core] = SHARED_CACHE;
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

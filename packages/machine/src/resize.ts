import { known } from '@mk/monitor-proto/assert';
import { coreCount, linksOf } from './description.ts';
import type { MachineDescription, NumaNode, Package, Processor } from './description.ts';
import { Reach } from './spanning.ts';

type Edge = readonly [number, number];
type Distances = MachineDescription['numaDistances'];

/** With more packages, machines side by side are fully linked: there would be too many pairs to list. */
const MOST_LINKED = 512;
/** With more nodes, distances of machines side by side follow from their hops. */
const MOST_DISTANT = 1024;

/**
 * The same machine with exactly n cores. Fewer: the first n, filling packages in order. More: copies of the machine
 * side by side, the last one cut short; package p of one copy is linked to package p of the others like the corners of
 * a hypercube, so that the longest path grows with the logarithm of the number of copies: 256 cores of amd-8x4 are 8
 * copies, 64 packages. Cores are numbered along the packages. Deterministic; n cores give the machine itself.
 */
export function forCores(description: MachineDescription, n: number): MachineDescription {
  const cores = coreCount(description);
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError(`a machine has at least one core, not ${n}`);
  if (n === cores) return description;
  return new Resize(description, cores, n).result();
}

/** One resize: where each core of each copy goes, and which packages and nodes are left. */
class Resize {
  private readonly copies: number;
  /** Where each core stands when packages are walked in order. */
  private readonly places: readonly number[];
  private readonly nodes: NumaNode[] = [];
  /** New node numbers, by copy and old number. */
  private readonly nodeNumbers: (number | undefined)[][] = [];

  constructor(
    private readonly old: MachineDescription,
    private readonly cores: number,
    private readonly n: number,
  ) {
    this.copies = Math.ceil(n / cores);
    const places: number[] = [];
    let next = 0;
    for (const { cores: list } of old.packages) for (const core of list) places[core] = next++;
    this.places = places;
    for (let copy = 0; copy < this.copies; copy++) this.addNodes(copy);
  }

  result(): MachineDescription {
    const { old } = this;
    const packages = this.packages();
    return {
      ...old,
      packages,
      processors: this.processors(),
      numaNodes: this.nodes,
      caches: old.caches.map((level) => ({ ...level, groups: this.lists(level.groups) })),
      memoryCaches: this.memoryCaches(),
      groups: this.each((copy) => this.holders(old.groups, copy)),
      coreKinds: old.coreKinds.map((kind) => ({ ...kind, cores: this.lists([kind.cores]).flat() })),
      interconnect: this.interconnect(packages.length),
      packageHops: this.packageHops(packages.length),
      numaDistances: this.distances(),
      // Hop distances mean nothing without all node distances.
      hopDistances: this.tooManyNodes() ? [] : old.hopDistances,
    };
  }

  private at(copy: number, list: readonly number[]): number[] {
    const base = copy * this.cores;
    return list
      .map((core) => base + known(this.places[core]))
      .filter((core) => core < this.n)
      .sort((a, b) => a - b);
  }

  private each<T>(of: (copy: number) => readonly T[]): T[] {
    return Array.from({ length: this.copies }, (_, copy) => of(copy)).flat();
  }

  private lists(lists: readonly (readonly number[])[]): number[][] {
    return this.each((copy) => lists.map((list) => this.at(copy, list))).filter((list) => list.length > 0);
  }

  private holders<T extends { readonly cores: readonly number[] }>(list: readonly T[], copy: number): T[] {
    return list
      .map((entry) => ({ ...entry, cores: this.at(copy, entry.cores) }))
      .filter(({ cores }) => cores.length > 0);
  }

  /** OS indexes of each copy continue the previous copy's. */
  private processors(): Processor[] {
    const ordered: Processor[] = [];
    this.old.processors.forEach((entry, core) => (ordered[known(this.places[core])] = entry));
    const span = 1 + ordered.reduce((most, { osIndex }) => Math.max(most, osIndex), 0);
    const all = this.each((copy) => ordered.map((entry) => ({ ...entry, osIndex: entry.osIndex + copy * span })));
    return all.slice(0, this.n);
  }

  private packages(): Package[] {
    return this.each((copy) =>
      this.old.packages.map(({ cores, numaNode }) => ({
        cores: this.at(copy, cores),
        numaNode: numaNode === null ? null : (known(this.nodeNumbers[copy])[numaNode] ?? null),
      })),
    ).filter(({ cores }) => cores.length > 0);
  }

  /** Memory local to no core is kept once; memory of dropped cores goes with them. */
  private addNodes(copy: number): void {
    this.nodeNumbers[copy] = this.old.numaNodes.map((node) => {
      const cores = this.at(copy, node.cores);
      if (cores.length === 0 && (node.cores.length > 0 || copy > 0)) return undefined;
      const { osIndex: _, ...rest } = node;
      this.nodes.push(copy === 0 ? { ...node, cores } : { ...rest, cores });
      return this.nodes.length - 1;
    });
  }

  private memoryCaches(): MachineDescription['memoryCaches'] {
    const kept = (copy: number, nodes: readonly number[]): number[] =>
      nodes.map((node) => known(this.nodeNumbers[copy])[node]).filter((node) => node !== undefined);
    return this.each((copy) =>
      this.old.memoryCaches.map(({ bytes, nodes }) => ({ bytes, nodes: kept(copy, nodes) })),
    ).filter(({ nodes }) => nodes.length > 0);
  }

  /** The links of every copy, those between copies, and whatever a cut-off package still needs to reach package 0. */
  private interconnect(packages: number): MachineDescription['interconnect'] {
    const { old, copies } = this;
    if (old.interconnect === 'full' && (copies === 1 || packages > MOST_LINKED)) return 'full';
    const size = old.packages.length;
    const own = linksOf(old);
    const edges: Edge[] = [];
    for (let copy = 0; copy < copies; copy++) {
      for (const [a, b] of own) edges.push([copy * size + a, copy * size + b]);
      for (let bit = 1; bit < copies; bit *= 2) {
        const other = copy ^ bit;
        if (other < copy) for (let p = 0; p < size; p++) edges.push([other * size + p, copy * size + p]);
      }
    }
    const kept = edges.filter(([a, b]) => a < packages && b < packages);
    const reach = new Reach(packages);
    for (const [a, b] of kept) reach.join(a, b);
    for (let p = 1; p < packages; p++) if (reach.join(0, p)) kept.push([0, p]);
    return kept;
  }

  /** Hops within a copy, plus one for each bit in which the numbers of the two copies differ. */
  private packageHops(packages: number): MachineDescription['packageHops'] {
    const { packageHops: hops } = this.old;
    const size = this.old.packages.length;
    if (hops.length === 0 || packages > MOST_DISTANT) return [];
    return Array.from({ length: packages }, (_, a) =>
      Array.from(
        { length: packages },
        (__, b) => known(known(hops[a % size])[b % size]) + bits(Math.floor(a / size) ^ Math.floor(b / size)),
      ),
    );
  }

  private tooManyNodes(): boolean {
    return this.nodes.length > MOST_DISTANT;
  }

  /** Within a copy, the machine's matrix; another copy is farther than anything in it. */
  private distances(): Distances {
    const { numaDistances: given } = this.old;
    if (given.length === 0 || this.tooManyNodes()) return [];
    const farthest = given.reduce((most, row) => row.reduce<number>((m, d) => Math.max(m, d ?? 0), most), 0);
    const homes = this.nodeNumbers.flatMap((numbers, copy) =>
      numbers.flatMap((number, node) => (number === undefined ? [] : [{ copy, node }])),
    );
    return homes.map((a) =>
      homes.map((b) => (a.copy === b.copy ? (given[a.node]?.[b.node] ?? null) : farthest + bits(a.copy ^ b.copy))),
    );
  }
}

function bits(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}

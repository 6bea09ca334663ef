import { known } from '@mk/monitor-proto/assert';
import { FREE } from './description.ts';
import type { MachineCosts, MachineDescription, NumaNode } from './description.ts';
import { checkNearness } from './hwloc-distances.ts';
import type { Matrix, ObjectMatrix } from './hwloc-distances.ts';
import type { HwlocObject } from './hwloc-tree.ts';
import { joinNearest } from './spanning.ts';

/** More levels than any machine has. */
const MAX_LEVELS = 32;

type Known = number | null;

/** Hops from a file's matrices, and the cost of each hop from its distance relative to local. */
export type Nearness = Pick<MachineDescription, 'numaDistances' | 'hopDistances' | 'packageHops' | 'interconnect'> & {
  /** How much farther than local each hop is, the nearest package being 1. */
  readonly factors: readonly number[];
};

/** Derives hops from the first matrix that distinguishes the places of cores: their packages, and nodes within them. */
export function readNearness(
  matrices: readonly ObjectMatrix[],
  nodes: readonly NumaNode[],
  nodeObjects: readonly HwlocObject[],
  packages: readonly (readonly number[])[],
  nearest: readonly (number | null)[],
): Nearness {
  const numaDistances = distancesOf(matrices, nodeObjects);
  const places = placesOf(packages, nearest);
  const split = places.length > packages.length;
  const byPackage = split && numaDistances.length > 0 ? null : packageMatrix(matrices, packages);
  const apart = numaDistances.length === 0 ? [] : placeDistances(places, numaDistances);
  if (byPackage !== null) {
    const levels = hopLevels(flatApart(byPackage), diagonal(byPackage));
    const hops = byPackage.map((row, i) => row.map((d, j) => (i === j ? 0 : levelOf(levels.thresholds, d))));
    const interconnect = interconnectFrom(
      (a, b) => Math.min(known(known(byPackage[a])[b]), known(known(byPackage[b])[a])),
      packages.length,
    );
    return { numaDistances, hopDistances: [], packageHops: hops, interconnect, factors: levels.factors };
  }
  if (apart.length === 0) {
    return { numaDistances, hopDistances: [], packageHops: [], interconnect: 'full', factors: [1] };
  }
  const local = nodes.map((_, node) => numaDistances[node]?.[node] ?? Infinity);
  const { thresholds, factors } = hopLevels(apart, local);
  const between = packageDistances(places, numaDistances, packages.length);
  return {
    numaDistances,
    hopDistances: thresholds,
    packageHops: [],
    interconnect: interconnectFrom(between, packages.length),
    factors,
  };
}

/**
 * Costs in cycles from machines/amd-8x4.yaml: 580 within a package, 613 one hop away. Anything nearer than a hop, such
 * as another node of the package, lies in between; farther levels add to the 538 in proportion to their distance: a
 * matrix gives distances, not message times.
 */
export function assumedCosts(ghz: number, factors: readonly number[]): MachineCosts {
  const ns = (sharedCache: number, samePackage: number, hops: readonly number[]) => ({
    ...FREE,
    sharedCache: sharedCache / ghz,
    samePackage: samePackage / ghz,
    hops: hops.map((cycles) => cycles / ghz),
  });
  const all = (cycles: number) => factors.map(() => cycles);
  return {
    send: ns(40, 60, all(140)),
    receive: ns(60, 60, all(60)),
    latency: ns(
      438,
      460,
      factors.map((factor) => (factor < 1 ? 380 + 33 * factor : 338 + 75 * factor)),
    ),
    gap: ns(361, 361, all(361)),
    lrpc: 1549 / ghz,
  };
}

/** Distances between the used nodes, by the first matrix of nodes; null where that omits a node. */
function distancesOf(matrices: readonly ObjectMatrix[], nodes: readonly HwlocObject[]): readonly (readonly Known[])[] {
  const found = matrices.find(({ type, objects }) => type === 'NUMANode' && objects.some((o) => nodes.includes(o)));
  if (found === undefined) return [];
  checkNearness(found);
  const rows = new Map(found.objects.map((object, row) => [object, row]));
  const order = nodes.map((node) => rows.get(node));
  return order.map((i) =>
    order.map((j) => (i === undefined || j === undefined ? null : known(known(found.matrix[i])[j]))),
  );
}

/** A matrix over exactly the packages, in their order. */
function packageMatrix(matrices: readonly ObjectMatrix[], packages: readonly (readonly number[])[]): Matrix | null {
  if (packages.length < 2) return null;
  const found = matrices.find(({ type }) => type === 'Package');
  if (found === undefined) return null;
  const order = packages.map((cores) => found.objects.findIndex((object) => object.cores === cores));
  if (order.includes(-1)) return null;
  checkNearness(found);
  return order.map((i) => order.map((j) => known(known(found.matrix[i])[j])));
}

interface Place {
  readonly package: number;
  readonly node: number;
}

/** The places of cores as messages distinguish them: a package, or the part of it that is near to one node. */
function placesOf(packages: readonly (readonly number[])[], nearest: readonly (number | null)[]): readonly Place[] {
  const places = new Map<string, Place>();
  packages.forEach((cores, index) => {
    for (const core of cores) {
      const node = nearest[core] ?? -1;
      places.set(`${index} ${node}`, { package: index, node });
    }
  });
  return [...places.values()];
}

function placeDistances(places: readonly Place[], distances: readonly (readonly Known[])[]): readonly Apart[] {
  return places.flatMap((a, i) =>
    places.flatMap((b, j): Apart[] => {
      const distance = i === j ? null : (distances[a.node]?.[b.node] ?? null);
      return distance === null ? [] : [{ distance, across: a.package !== b.package }];
    }),
  );
}

interface Apart {
  readonly distance: number;
  readonly across: boolean;
}

/** The distance of two packages: that of their nearest nodes, or the farthest known if the file does not say. */
function packageDistances(
  places: readonly Place[],
  distances: readonly (readonly Known[])[],
  packages: number,
): (a: number, b: number) => number {
  const rows = Array.from({ length: packages }, () => new Float64Array(packages).fill(Infinity));
  for (const a of places) {
    for (const b of places) {
      const distance = distances[a.node]?.[b.node] ?? Infinity;
      const row = known(rows[a.package]);
      row[b.package] = Math.min(known(row[b.package]), distance);
    }
  }
  return (a, b) => Math.min(known(known(rows[a])[b]), known(known(rows[b])[a]));
}

function flatApart(matrix: Matrix): readonly Apart[] {
  return matrix.flatMap((row, i) =>
    row.flatMap((distance, j): Apart[] => (i === j ? [] : [{ distance, across: true }])),
  );
}

function diagonal(matrix: Matrix): readonly number[] {
  return matrix.map((row, i) => known(row[i]));
}

/** Distances as hops, near to far; nearly equal measurements fall into one level. */
function hopLevels(
  apart: readonly Apart[],
  locals: readonly number[],
): { readonly thresholds: readonly number[]; readonly factors: readonly number[] } {
  const least = (values: Iterable<number>): number => {
    let smallest = Infinity;
    for (const value of values) smallest = Math.min(smallest, value);
    return smallest;
  };
  const exact = [...new Set(apart.map(({ distance }) => distance))].sort((a, b) => a - b);
  const local = least(locals);
  const across = least(apart.filter((pair) => pair.across).map(({ distance }) => distance));
  const one = Number.isFinite(across) ? across : known(exact[0]);
  const step = (known(exact.at(-1)) - known(exact[0])) / (MAX_LEVELS - 1);
  const thresholds =
    exact.length <= MAX_LEVELS ? exact : Array.from({ length: MAX_LEVELS }, (_, i) => known(exact[0]) + i * step);
  return { thresholds, factors: thresholds.map((level) => farness(level, local, one)) };
}

/** Packages that share a NUMA node are no farther apart than the node is from itself; only the ratio helps then. */
function farness(level: number, local: number, one: number): number {
  if (one > local) return (level - local) / (one - local);
  return one > 0 ? level / one : 1;
}

function levelOf(thresholds: readonly number[], distance: number): number {
  return Math.max(1, 1 + thresholds.findLastIndex((level) => level <= distance));
}

/** Links between packages: the nearest pairs, then the next nearest, until every package is reachable. */
function interconnectFrom(
  distance: (a: number, b: number) => number,
  packages: number,
): MachineDescription['interconnect'] {
  const farthest = joinNearest(packages, distance);
  const edges: [number, number][] = [];
  for (let a = 0; a < packages; a++) {
    for (let b = a + 1; b < packages; b++) if (distance(a, b) <= farthest) edges.push([a, b]);
  }
  return edges.length === (packages * (packages - 1)) / 2 ? 'full' : edges;
}

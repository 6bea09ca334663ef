import { adjacency, hopsFrom } from './description.ts';
import { attribute, listOf, Refusal } from './hwloc-tree.ts';
import type { HwlocObject, RawElement, Topology } from './hwloc-tree.ts';

/** Latencies, row by row; any unit. */
export type Matrix = readonly (readonly number[])[];

/** A matrix of the file and the objects that its rows stand for. */
export interface ObjectMatrix {
  readonly objects: readonly HwlocObject[];
  readonly matrix: Matrix;
}

/** Bit of `kind` in hwloc 2: the values are latencies, not bandwidths. */
const MEANS_LATENCY = 4;
/** More levels than any machine has. */
const MAX_LEVELS = 32;
const TYPES: Readonly<Record<string, string>> = { Socket: 'Package', Package: 'Package', NUMANode: 'NUMANode' };

/** The latency matrices of NUMA nodes and packages in the file, both generations; a broken one is refused. */
export function readMatrices(topology: Topology, nodes: readonly HwlocObject[]): readonly ObjectMatrix[] {
  const modern = listOf(topology.raw, 'distances2').map((element) => readModern(element, topology));
  const old = topology.objects.flatMap(({ raw }) => listOf(raw, 'distances')).map((element) => readOld(element, nodes));
  return [...modern, ...old].filter((found) => found !== null);
}

/** The matrix whose rows are exactly these objects, in their order; null when there is none. */
export function matrixFor(matrices: readonly ObjectMatrix[], objects: readonly HwlocObject[]): Matrix | null {
  for (const found of matrices) {
    const order = objects.map((object) => found.objects.indexOf(object));
    if (found.objects.length === objects.length && !order.includes(-1)) {
      return order.map((i) => order.map((j) => found.matrix[i]![j]!));
    }
  }
  return null;
}

/** Distances as hops: equal distances, from near to far, are one hop, two hops, and so on. */
export interface HopLevels {
  readonly hops: readonly (readonly number[])[];
  /** How much farther than local each level is, the nearest being 1. */
  readonly factors: readonly number[];
}

/** The levels of a matrix between packages; measured values that hardly differ fall into one level. */
export function hopLevels(matrix: Matrix): HopLevels {
  const local = matrix.reduce((least, row, i) => Math.min(least, row[i]!), Infinity);
  const apart = matrix.flatMap((row, i) => row.filter((_, j) => j !== i));
  const nearest = apart.reduce((least, distance) => Math.min(least, distance), Infinity);
  const farthest = apart.reduce((most, distance) => Math.max(most, distance), 0);
  const exact = [...new Set(apart)].sort((a, b) => a - b);
  const step = (farthest - nearest) / (MAX_LEVELS - 1);
  const levels = exact.length <= MAX_LEVELS ? exact : Array.from({ length: MAX_LEVELS }, (_, i) => nearest + i * step);
  const levelOf = (distance: number) => 1 + levels.findLastIndex((level) => level <= distance);
  return {
    hops: matrix.map((row, i) => row.map((distance, j) => (i === j ? 0 : Math.max(1, levelOf(distance))))),
    factors: levels.map((level) => farness(level, local, nearest)),
  };
}

/** Packages that share a NUMA node are apart by no more than one is from itself; then only the ratio tells. */
function farness(level: number, local: number, nearest: number): number {
  if (nearest > local) return (level - local) / (nearest - local);
  return nearest > 0 ? level / nearest : 1;
}

/**
 * Links between packages: the nearest pairs, then the next nearest, until every package can be reached. Without a
 * matrix every pair is linked.
 */
export function interconnectFrom(matrix: Matrix | null, packages: number): [number, number][] {
  const pairs: { edge: [number, number]; distance: number }[] = [];
  for (let a = 0; a < packages; a++) {
    for (let b = a + 1; b < packages; b++) {
      const distance = matrix === null ? 0 : Math.min(matrix[a]![b]!, matrix[b]![a]!);
      pairs.push({ edge: [a, b], distance });
    }
  }
  const levels = [...new Set(pairs.map(({ distance }) => distance))].sort((a, b) => a - b);
  for (const level of levels) {
    const edges = pairs.filter(({ distance }) => distance <= level).map(({ edge }) => edge);
    if (!hopsFrom(0, adjacency(packages, edges)).includes(-1)) return edges;
  }
  return [];
}

/** <distances2 type= nbobjs= kind= indexing=> with lists of indexes and values, hwloc 2 and 3. */
function readModern(element: RawElement, topology: Topology): ObjectMatrix | null {
  const type = TYPES[attribute(element, 'type') ?? ''];
  const kind = Number(attribute(element, 'kind') ?? 0);
  if (type === undefined || (kind & MEANS_LATENCY) === 0) return null;
  const name = `<distances2 type="${attribute(element, 'type')}">`;
  const count = Number(attribute(element, 'nbobjs'));
  const indexes = numbers(listOf(element, 'indexes'), `indexes of ${name}`);
  const values = numbers(listOf(element, 'u64values'), `u64values of ${name}`);
  if (indexes.length !== count) throw new Refusal(`${name} has ${indexes.length} indexes for nbobjs="${count}"`);
  const by = attribute(element, 'indexing') === 'gp' ? 'gp_index' : 'os_index';
  const objects = indexes.map((index) => {
    const found = topology.objects.find(
      (object) => TYPES[object.type] === type && object.attributes[by] === String(index),
    );
    if (found === undefined) throw new Refusal(`${name} names ${by}="${index}", which no ${type} element has`);
    return found;
  });
  return { objects, matrix: square(values, count, name) };
}

/** <distances nbobjs= latency_base=> with one <latency> a pair, hwloc 1, in the order of the nodes. */
function readOld(element: RawElement, nodes: readonly HwlocObject[]): ObjectMatrix | null {
  const count = Number(attribute(element, 'nbobjs'));
  const name = `<distances nbobjs="${attribute(element, 'nbobjs')}">`;
  const base = Number(attribute(element, 'latency_base') ?? 1);
  const values = listOf(element, 'latency').map((latency) => {
    const value = Number(attribute(latency, 'value') ?? Number.NaN) * base;
    if (!(value >= 0)) throw new Refusal(`${name} has a latency that is not a number`);
    return value;
  });
  const matrix = square(values, count, name);
  return count === nodes.length ? { objects: nodes, matrix } : null;
}

function square(values: readonly number[], count: number, name: string): Matrix {
  if (values.length !== count * count) {
    throw new Refusal(`${name} has ${values.length} values; ${count} objects need ${count * count}`);
  }
  return Array.from({ length: count }, (_, row) => values.slice(row * count, (row + 1) * count));
}

function numbers(lists: readonly RawElement[], name: string): number[] {
  const words = lists.flatMap((list) => String(list['#text'] ?? '').split(/\s+/)).filter((word) => word !== '');
  return words.map((word) => {
    const value = Number(word);
    if (!(value >= 0)) throw new Refusal(`"${word}" in the ${name} is not a number`);
    return value;
  });
}

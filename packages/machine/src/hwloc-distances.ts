import { known } from '@mk/monitor-proto/assert';
import { levelBelow } from './hwloc-levels.ts';
import { attribute, infosOf, listOf, Refusal } from './hwloc-xml.ts';
import type { RawElement } from './hwloc-xml.ts';
import type { HwlocObject, Topology } from './hwloc-tree.ts';
import { shown } from './one-line.ts';

/** Latencies, row by row; any unit. */
export type Matrix = readonly (readonly number[])[];

/** A matrix of the file and the objects of its rows. */
export interface ObjectMatrix {
  readonly type: 'NUMANode' | 'Package';
  /** Its name in error messages. */
  readonly name: string;
  readonly objects: readonly HwlocObject[];
  readonly matrix: Matrix;
  /** Firmware matrices come before those that a user added. */
  readonly rank: number;
}

/** Bits of `kind` in hwloc 2. */
const KIND = { fromOs: 1, meansLatency: 4 } as const;
/** Relative distances are some tens, latencies some hundreds of nanoseconds; no machine reports anything near this. */
const MAX_DISTANCE = 1e9;
const MAX_OBJECTS = 1024;
const TYPES: ReadonlyMap<string, 'NUMANode' | 'Package'> = new Map([
  ['socket', 'Package'],
  ['package', 'Package'],
  ['numanode', 'NUMANode'],
  ['node', 'NUMANode'],
]);

/**
 * The file's latency matrices of NUMA nodes and packages, both generations of format, best first; refuses a broken one.
 */
export function readMatrices(topology: Topology): readonly ObjectMatrix[] {
  const modern = listOf(topology.raw, 'distances2').map((element) => readModern(element, topology));
  const old = topology.objects.flatMap((object) =>
    listOf(object.raw, 'distances').map((element) => readOld(element, object, topology)),
  );
  return [...modern, ...old].filter((found) => found !== null).sort((a, b) => b.rank - a.rank);
}

/** Refuses a matrix in which anything is nearer than local memory. */
export function checkNearness({ name, objects, matrix }: ObjectMatrix): void {
  matrix.forEach((row, i) =>
    row.forEach((distance, j) => {
      if (i === j || (distance >= known(row[i]) && distance > 0)) return;
      const indexes = [i, j].map(
        (at) => `os_index="${shown(known(objects[at]).attributes['os_index'] ?? String(at))}"`,
      );
      throw new Refusal(
        `${name} says ${distance} from ${indexes[0]} to ${indexes[1]}, nearer than local (${row[i]}) or nothing`,
      );
    }),
  );
}

/** <distances2 type= nbobjs= kind= indexing=> with lists of indexes and values, hwloc 2 and 3. */
function readModern(element: RawElement, topology: Topology): ObjectMatrix | null {
  const word = attribute(element, 'type') ?? '';
  const type = TYPES.get(word.toLowerCase());
  const kind = Number(attribute(element, 'kind') ?? 0);
  if (type === undefined || (kind & KIND.meansLatency) === 0) return null;
  const name = `<distances2 type="${shown(word)}">`;
  const count = countOf(element, name);
  const indexes = wholes(listOf(element, 'indexes'), `indexes of ${name}`, Number.MAX_SAFE_INTEGER);
  if (indexes.length !== count) throw new Refusal(`${name} has ${indexes.length} indexes for nbobjs="${count}"`);
  const by = attribute(element, 'indexing') === 'gp' ? 'gp_index' : 'os_index';
  const candidates = new Map(
    topology.objects
      .filter((object) => object.type === type && object.attributes[by] !== undefined)
      .map((object) => [Number(object.attributes[by]), object]),
  );
  const objects = indexes.map((index) => {
    const found = candidates.get(index);
    if (found === undefined) throw new Refusal(`${name} names ${by}="${index}", which no ${type} element has`);
    return found;
  });
  if (new Set(objects).size !== count) throw new Refusal(`${name} names an object twice`);
  const values = wholes(listOf(element, 'u64values'), `u64values of ${name}`, MAX_DISTANCE);
  const rank = attribute(element, 'name') === 'NUMALatency' ? 2 : kind & KIND.fromOs;
  return { type, name, objects, matrix: square(values, count, name), rank };
}

/** <distances nbobjs= relative_depth= latency_base=> with one <latency> a pair, hwloc 1, in the order of the file. */
function readOld(element: RawElement, holder: HwlocObject, topology: Topology): ObjectMatrix | null {
  const name = `<distances nbobjs="${shown(attribute(element, 'nbobjs') ?? '')}">`;
  const count = countOf(element, name);
  const base = realOf(attribute(element, 'latency_base') ?? '1', name);
  const latencies = listOf(element, 'latency').map((latency) => realOf(attribute(latency, 'value') ?? '', name));
  const matrix = square(wholeScale(latencies.map((value) => value * base)), count, name);
  const rank = holder.parent === null ? 1 : 0;
  const least = latencies.reduce((smallest, value) => Math.min(smallest, value), Infinity);
  const objects = objectsOf(element, holder, topology, count, base === 1 && least > 1);
  const type = objects === null ? undefined : TYPES.get(known(objects[0]).type.toLowerCase());
  return objects === null || type === undefined ? null : { type, name, objects, matrix, rank };
}

/**
 * The objects that `relative_depth` denotes. hwloc 1 counts its levels, NUMA nodes among them. hwloc 2, when it writes
 * hwloc 1's format, leaves latencies unchanged and counts without nodes: a matrix of nodes has the depth of their
 * parents plus one. Null: neither nodes nor packages.
 */
function objectsOf(
  element: RawElement,
  holder: HwlocObject,
  topology: Topology,
  count: number,
  rawLatencies: boolean,
): readonly HwlocObject[] | null {
  const depth = Number(attribute(element, 'relative_depth') ?? Number.NaN);
  const inside = topology.objects.filter(({ type }) => type === 'NUMANode');
  const nodes = holder.parent === null ? inside : inside.filter((node) => isWithin(node, holder));
  const writer = topology.objects
    .map(({ infos }) => infos.get('hwlocVersion'))
    .find((version) => version !== undefined);
  if (rawLatencies || /^[2-9]/.test(writer ?? infosOf(topology.raw).get('hwlocVersion') ?? '')) {
    const hung = nodes[0]?.children[0];
    const own = hung !== undefined && levelBelow(holder, depth - 1, 'NUMANode').includes(hung);
    const level = own ? nodes : levelBelow(holder, depth, 'NUMANode');
    if (level.length === count && TYPES.has((level[0]?.type ?? '').toLowerCase())) return level;
    return nodes.length === count ? nodes : null;
  }
  const level = levelBelow(holder, depth);
  return level.length === count && level.length > 0 ? level : null;
}

/**
 * hwloc 1 stores latencies as floats. As in hwloc 2, whole numbers stay as they are and others are taken in
 * thousandths.
 */
function wholeScale(values: readonly number[]): number[] {
  const whole = values.every((value) => Math.abs(value - Math.round(value)) < 0.001);
  return values.map((value) => Math.round(whole ? value : value * 1000));
}

function countOf(element: RawElement, name: string): number {
  const text = attribute(element, 'nbobjs') ?? '';
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_OBJECTS) {
    throw new Refusal(`${name} has nbobjs="${shown(text)}"; it must be from 1 to ${MAX_OBJECTS}`);
  }
  return count;
}

function realOf(text: string, name: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= MAX_DISTANCE) return value;
  throw new Refusal(`${name} has a latency of "${shown(text)}", which is not a number from 0 to ${MAX_DISTANCE}`);
}

function square(values: readonly number[], count: number, name: string): Matrix {
  if (values.length !== count * count) {
    throw new Refusal(`${name} has ${values.length} values; ${count} objects need ${count * count}`);
  }
  return Array.from({ length: count }, (_, row) => values.slice(row * count, (row + 1) * count));
}

function wholes(lists: readonly RawElement[], name: string, most: number): number[] {
  const words = lists.flatMap((list) => String(list['#text'] ?? '').split(/\s+/)).filter((word) => word !== '');
  return words.map((word) => {
    const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (value <= most) return value;
    throw new Refusal(`"${shown(word)}" in the ${name} is not a whole number from 0 to ${most}`);
  });
}

function isWithin(object: HwlocObject, outer: HwlocObject): boolean {
  for (let up = object.parent; up !== null; up = up.parent) if (up === outer) return true;
  return false;
}

import { known } from '@mk/monitor-proto/assert';
import { CpuSet } from './cpuset.ts';
import { MAX_CORES } from './description.ts';
import { attribute, infosOf, listOf, readTopologyElement, Refusal } from './hwloc-xml.ts';
import type { RawElement } from './hwloc-xml.ts';
import { shown } from './one-line.ts';

/** One <object> element. */
export interface HwlocObject {
  /** hwloc 2's type name in either generation of files: `Package` for a `Socket`. */
  readonly type: string;
  /** The type as written in the file. */
  readonly word: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly infos: ReadonlyMap<string, string>;
  readonly parent: HwlocObject | null;
  readonly children: readonly HwlocObject[];
  /** The cores inside it: its usable processing units. */
  readonly cores: readonly number[];
  readonly raw: RawElement;
}

export interface Topology {
  readonly raw: RawElement;
  readonly root: HwlocObject;
  /** Every object, a parent before its children. */
  readonly objects: readonly HwlocObject[];
  /** The usable processing units, in the file's order: core c is `pus[c]`. */
  readonly pus: readonly HwlocObject[];
  /** The OS index of each core. */
  readonly osIndexes: readonly number[];
}

const MAX_OBJECTS = 100_000;
/** Types that hwloc has renamed; it compares them without regard to case. */
const CANONICAL: ReadonlyMap<string, string> = new Map([
  ...['Machine', 'System', 'NUMANode', 'Package', 'Die', 'Core', 'PU', 'Group', 'MemCache', 'Cache'].map(
    (type) => [type.toLowerCase(), type] as const,
  ),
  ['node', 'NUMANode'],
  ['socket', 'Package'],
  ['proc', 'PU'],
]);

interface Draft extends HwlocObject {
  readonly parent: Draft | null;
  readonly children: Draft[];
  readonly cores: number[];
}

/** Reads the elements of a topology; throws a Refusal that names what is wrong and where. */
export function parseTopology(text: string): Topology {
  const raw = readTopologyElement(text);
  checkVersion(raw);
  const roots = listOf(raw, 'object');
  if (roots.length !== 1) throw new Refusal(`<topology> holds ${roots.length} object elements, not one Machine`);
  const objects: Draft[] = [];
  const root = collect(known(roots[0]), null, objects);
  const machines = objects.filter(({ type }) => type === 'Machine').length;
  if (machines > 1)
    throw new Refusal(`there are ${machines} Machine elements under ${root.word}; one machine is wanted`);
  const all = objects.filter(({ type }) => type === 'PU');
  const osIndexes = all.map((pu, place) => puIndex(pu, place));
  refuseTwins(all, osIndexes);
  const allowed = mayBeUsed(root, objects);
  const usable = all.map((pu, place) => allowed(pu, known(osIndexes[place])));
  const pus = all.filter((_, place) => usable[place]);
  checkCount(all, pus, root);
  pus.forEach((pu, core) => {
    for (let at: Draft | null = pu; at !== null; at = at.parent) at.cores.push(core);
  });
  return { raw, root, objects, pus, osIndexes: osIndexes.filter((_, place) => usable[place]) };
}

/** `PU os_index="5"`: an element by its type and a distinguishing attribute. */
export function describeElement({ word, attributes }: HwlocObject): string {
  for (const name of ['os_index', 'gp_index', 'cpuset']) {
    if (attributes[name] !== undefined) return `${word} ${name}="${shown(attributes[name])}"`;
  }
  return word;
}

/** A bitmap attribute of an object; null when it has none. */
export function setOf(object: HwlocObject, name: string): CpuSet | null {
  const text = object.attributes[name];
  if (text === undefined) return null;
  const set = CpuSet.parse(text);
  if (set === null) throw new Refusal(`${describeElement(object)} has ${name}="${shown(text)}", which is not a bitmap`);
  return set;
}

/** A counting attribute: whole, from 0; null when the object has none. */
export function wholeOf(object: HwlocObject, name: string): number | null {
  const text = object.attributes[name];
  if (text === undefined) return null;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  const wanted = /^\d+$/.test(text) ? 'which is too large' : 'which is not a whole number';
  throw new Refusal(`${describeElement(object)} has ${name}="${shown(text)}", ${wanted}`);
}

function checkVersion(raw: RawElement): void {
  const version = attribute(raw, 'version');
  if (version === undefined || /^[123]\.\d+$/.test(version)) return;
  throw new Refusal(`<topology version="${shown(version)}"> is not known; hwloc 1, 2 and 3 are (1.0, 2.0, 3.0)`);
}

function collect(element: RawElement, parent: Draft | null, objects: Draft[]): Draft {
  const object = makeObject(element, parent);
  objects.push(object);
  if (objects.length > MAX_OBJECTS) throw new Refusal(`more than ${MAX_OBJECTS} object elements`);
  if (object.type === 'PU') {
    for (let up = parent; up !== null; up = up.parent) {
      if (up.type === 'PU') throw new Refusal(`${describeElement(object)} lies within ${describeElement(up)}`);
    }
  }
  for (const child of listOf(element, 'object')) object.children.push(collect(child, object, objects));
  return object;
}

function makeObject(raw: RawElement, parent: Draft | null): Draft {
  const word = attribute(raw, 'type');
  if (word === undefined) {
    const place = parent === null ? '<topology>' : describeElement(parent);
    throw new Refusal(`an object element in ${place} has no type`);
  }
  const attributes: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(raw)) {
    if (name.startsWith('@')) attributes[name.slice(1)] = String(value);
  }
  const type = CANONICAL.get(word.toLowerCase()) ?? word;
  return { type, word: shown(word), attributes, infos: infosOf(raw), parent, children: [], cores: [], raw };
}

/** The OS index of a PU: its attribute, or the one bit of its cpuset. */
function puIndex(pu: HwlocObject, place: number): number {
  const index = wholeOf(pu, 'os_index');
  const set = setOf(pu, 'cpuset');
  if (index === null) throw new Refusal(`PU number ${place + 1} of the file has no os_index`);
  if (set !== null && !set.isEmpty && !set.has(index)) {
    throw new Refusal(
      `${describeElement(pu)} has cpuset="${shown(known(pu.attributes['cpuset']))}", where it is not itself`,
    );
  }
  return index;
}

function refuseTwins(pus: readonly HwlocObject[], osIndexes: readonly number[]): void {
  const seen = new Set<number>();
  osIndexes.forEach((index, place) => {
    if (seen.has(index)) throw new Refusal(`${describeElement(known(pus[place]))} appears twice`);
    seen.add(index);
  });
}

/** hwloc 2 lists the allowed PUs on the Machine; hwloc 1 on every object, along with those online. */
function mayBeUsed(root: HwlocObject, objects: readonly HwlocObject[]): (pu: HwlocObject, index: number) => boolean {
  const machine = objects.find(({ type }) => type === 'Machine') ?? root;
  const setsOf = (object: HwlocObject): CpuSet[] =>
    ['cpuset', 'allowed_cpuset', 'online_cpuset'].map((name) => setOf(object, name)).filter((set) => set !== null);
  const whole = [...new Set([machine, root])].flatMap(setsOf);
  return (pu, index) => [...whole, ...setsOf(pu)].every((set) => set.has(index));
}

function checkCount(all: readonly HwlocObject[], usable: readonly HwlocObject[], root: HwlocObject): void {
  if (all.length === 0) throw new Refusal('there is no PU element');
  if (usable.length === 0) {
    const allowed = root.attributes['allowed_cpuset'] ?? root.attributes['online_cpuset'] ?? '';
    throw new Refusal(`none of the ${all.length} PU elements may be used: ${root.word} allows "${shown(allowed)}"`);
  }
  if (usable.length <= MAX_CORES) return;
  throw new Refusal(`there are ${usable.length} PU elements that may be used; at most ${MAX_CORES}`);
}

import { XMLParser, XMLValidator } from 'fast-xml-parser';

/** Why a file is refused, with the element; thrown inside the hwloc modules only. */
export class Refusal extends Error {}

/** One <object> element. PUs are named by their number in the order of the file. */
export interface HwlocObject {
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly infos: Readonly<Record<string, string>>;
  readonly parent: HwlocObject | null;
  /** The PUs inside it. */
  readonly pus: number[];
  /** The PUs that it is near to: those inside; for a memory child of hwloc 2, those of what it hangs on. */
  localPus: readonly number[];
  /** What else the element holds, as the parser gives it. */
  readonly raw: RawElement;
}

export interface Topology {
  /** Every object, a parent before its children. */
  readonly objects: readonly HwlocObject[];
  readonly pus: readonly HwlocObject[];
  readonly raw: RawElement;
}

/** An element with its attributes as `@name` and its children as lists. */
export type RawElement = Readonly<Record<string, unknown>>;

const MAX_DEPTH = 64;
const MAX_OBJECTS = 100_000;
const MEMORY_TYPES = ['NUMANode', 'MemCache'];
/** Elements that may be repeated, and are lists even when there is one. */
const LISTS = new Set(['object', 'info', 'distances', 'distances2', 'latency', 'indexes', 'u64values']);

/** Reads the elements of a topology; throws a Refusal that names what is wrong and where. */
export function parseTopology(text: string): Topology {
  if (text.trim() === '') throw new Refusal('the file is empty');
  if (/<!ENTITY/i.test(text)) throw new Refusal('<!ENTITY> is not allowed in a topology');
  const valid = XMLValidator.validate(text, { allowBooleanAttributes: false });
  if (valid !== true) throw new Refusal(`not well-formed XML at line ${valid.err.line}: ${valid.err.msg.trim()}`);
  const document = parseXml(text);
  const names = Object.keys(document).filter((name) => !/^[?!#]/.test(name));
  const raw = document['topology'];
  if (names.length !== 1 || !isElement(raw)) {
    throw new Refusal(`the root element is <${names[0] ?? 'nothing'}>, not <topology>`);
  }
  checkVersion(raw);
  const roots = listOf(raw, 'object');
  if (roots.length !== 1) throw new Refusal(`<topology> holds ${roots.length} object elements, not one Machine`);
  return collect(roots[0]!, raw);
}

/** `PU os_index="5"`: an element by its type and what tells it from others. */
export function describeElement({ type, attributes }: HwlocObject): string {
  for (const name of ['os_index', 'gp_index', 'cpuset']) {
    if (attributes[name] !== undefined) return `${type} ${name}="${attributes[name]}"`;
  }
  return type;
}

/** The children of that name. */
export function listOf(element: RawElement, name: string): readonly RawElement[] {
  const list = element[name];
  if (!Array.isArray(list)) return [];
  // An element without attributes and children is an empty text to the parser.
  return list.map((entry) => (isElement(entry) ? entry : { '#text': String(entry) }));
}

export function attribute(element: RawElement, name: string): string | undefined {
  const value = element[`@${name}`];
  return value === undefined ? undefined : String(value);
}

function parseXml(text: string): RawElement {
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseTagValue: false,
    parseAttributeValue: false,
    processEntities: false,
    maxNestedTags: MAX_DEPTH,
    isArray: (name) => LISTS.has(name),
  });
  try {
    return parser.parse(text) as RawElement;
  } catch (error) {
    throw new Refusal(`not readable as XML: ${(error as Error).message.split('\n')[0]}`);
  }
}

function checkVersion(raw: RawElement): void {
  const version = attribute(raw, 'version');
  if (version === undefined || /^[123]\.\d+$/.test(version)) return;
  throw new Refusal(`<topology version="${version}"> is not known; hwloc 1, 2 and 3 are`);
}

function collect(root: RawElement, raw: RawElement): Topology {
  const objects: HwlocObject[] = [];
  const pus: HwlocObject[] = [];
  const indexes = new Set<string>();

  const visit = (element: RawElement, parent: HwlocObject | null): HwlocObject => {
    const object = makeObject(element, parent);
    objects.push(object);
    if (objects.length > MAX_OBJECTS) throw new Refusal(`more than ${MAX_OBJECTS} object elements`);
    if (object.type === 'PU') {
      const index = object.attributes['os_index'] ?? `#${pus.length}`;
      if (indexes.has(index)) throw new Refusal(`${describeElement(object)} appears twice`);
      indexes.add(index);
      object.pus.push(pus.length);
      pus.push(object);
    }
    for (const child of listOf(element, 'object')) object.pus.push(...visit(child, object).pus);
    return object;
  };

  visit(root, null);
  for (const object of objects) object.localPus = localPus(object);
  return { objects, pus, raw };
}

function makeObject(element: RawElement, parent: HwlocObject | null): HwlocObject {
  const type = attribute(element, 'type');
  if (type === undefined) {
    const place = parent === null ? '<topology>' : describeElement(parent);
    throw new Refusal(`an object element in ${place} has no type`);
  }
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(element)) {
    if (name.startsWith('@')) attributes[name.slice(1)] = String(value);
  }
  const infos: Record<string, string> = {};
  for (const info of listOf(element, 'info')) infos[attribute(info, 'name') ?? ''] = attribute(info, 'value') ?? '';
  return { type, attributes, infos, parent, pus: [], localPus: [], raw: element };
}

function localPus(object: HwlocObject): readonly number[] {
  let at: HwlocObject = object;
  while (at.pus.length === 0 && at.parent !== null && MEMORY_TYPES.includes(at.type)) at = at.parent;
  return at.pus;
}

function isElement(value: unknown): value is RawElement {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import { asError } from '@mk/monitor-proto/thrown';
import { known } from '@mk/monitor-proto/assert';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { shown, visible } from './one-line.ts';

/** Why a file is refused, with the element; thrown inside the hwloc modules only. */
export class Refusal extends Error {}

/** An element with its attributes as `@name` and its children as lists. */
export type RawElement = Readonly<Record<string, unknown>>;

const MAX_DEPTH = 64;
/** Repeatable elements, which are always lists. */
const LISTS = new Set(['object', 'info', 'distances', 'distances2', 'latency', 'indexes', 'u64values', 'cpukind']);
/** `root`: what hwloc 0.9 wrote. */
const ROOTS = ['topology', 'root'];

/** The root element of a topology; throws a Refusal that says what is wrong and where. */
export function readTopologyElement(text: string): RawElement {
  if (text.trim() === '') throw new Refusal('the file is empty');
  if (/<!ENTITY/i.test(withoutComments(text))) throw new Refusal('<!ENTITY> is not allowed in a topology');
  const valid = XMLValidator.validate(text, { allowBooleanAttributes: false });
  if (valid !== true) {
    throw new Refusal(`not well-formed XML at line ${valid.err.line}: ${visible(valid.err.msg.trim())}`);
  }
  const document = parseXml(text);
  const names = Object.keys(document).filter((name) => !/^[?!#]/.test(name));
  const raw = document[ROOTS.find((name) => name === names[0]) ?? ''];
  if (names.length !== 1 || !isElement(raw)) {
    throw new Refusal(`the root element is <${shown(names[0] ?? 'nothing')}>, not <topology>`);
  }
  return raw;
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

/** The values of `<info name= value=>` elements; the first of a name counts. */
export function infosOf(element: RawElement): ReadonlyMap<string, string> {
  const infos = new Map<string, string>();
  for (const info of listOf(element, 'info')) {
    const name = attribute(info, 'name') ?? '';
    if (!infos.has(name)) infos.set(name, attribute(info, 'value') ?? '');
  }
  return infos;
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
    throw new Refusal(`not readable as XML: ${visible(known(asError(error).message.split('\n')[0]))}`);
  }
}

/** Comments and CDATA declare nothing. A single pass, whatever the text. */
function withoutComments(text: string): string {
  const kept: string[] = [];
  let from = 0;
  const marks = /<!--|<!\[CDATA\[/g;
  for (let found = marks.exec(text); found !== null; found = marks.exec(text)) {
    const close = found[0] === '<!--' ? '-->' : ']]>';
    const end = text.indexOf(close, found.index + found[0].length);
    kept.push(text.slice(from, found.index));
    if (end < 0) return kept.join('');
    from = end + close.length;
    marks.lastIndex = from;
  }
  kept.push(text.slice(from));
  return kept.join('');
}

function isElement(value: unknown): value is RawElement {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

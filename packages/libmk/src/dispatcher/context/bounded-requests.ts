/*
 * Built-ins that take much of the heap at once. V8 ends a thread whose heap is full at its next safe point, but inside
 * a built-in there is none: one that goes on taking far beyond the limit ends the process, and the core with it. So
 * these are asked beforehand what they would take. What they cost is a bound that is cheap to tell, and where it does
 * not suffice a count.
 *
 * Only built-ins can be asked: what the syntax itself takes ([...text], {...view}, 1n << n, array.length = n) is in CAVEATS.md.
 */
import { known } from '@mk/monitor-proto/assert';
import { borderLimit } from '../limits.ts';
import { guard } from './world.ts';

/**
 * Bytes of the heap that a call would take; more than it may is refused. It may put a read argument in the place of one.
 * It takes arguments by their place: to destructure them asks an iterator that is the program's.
 */
type Weigh = (self: unknown, args: unknown[]) => number;

const MOST = borderLimit('heapRequestBytes');
/** Bytes of an element of an array, of a piece of a text and where it was, of a string with its place in an array, of a pair with its key and place. */
const BYTES = { slot: 8, part: 16, text: 40, pair: 112 } as const;

// Those of the kernel: a program may change its own, and what it changes must not be asked.
const { apply } = Reflect;
const { min } = Math;
const [asNumber, asText] = [Number, String];
const { isArray } = Array;
const { isView } = ArrayBuffer;
const { indexOf, charCodeAt, replace: nativeReplace } = String.prototype;
const { exec } = RegExp.prototype;
const Expression = RegExp;

/** Refuses requests of this context's built-ins that are larger than one may be. */
export function boundRequests(): void {
  const typed: object = Reflect.getPrototypeOf(Uint8Array) ?? {};
  const views: object = Reflect.getPrototypeOf(Uint8Array.prototype) ?? {};
  const elements = each(BYTES.slot);
  bound('Array.prototype', Array.prototype, {
    fill: elements,
    join: elements,
    toLocaleString: elements,
    toReversed: elements,
    toSpliced: elements,
    with: elements,
    sort: each(1.5 * BYTES.slot), // a copy to work on, and half of one to merge
    toSorted: each(2.5 * BYTES.slot),
    concat: concatenated,
  });
  bound('Array', Array, { from: listed });
  bound('TypedArray', typed, { from: listed });
  bound('TypedArray.prototype', views, { join: each(BYTES.text), toLocaleString: each(BYTES.text) });
  bound('String.prototype', String.prototype, {
    repeat: repeated,
    padStart: padded,
    padEnd: padded,
    split,
    replace,
    replaceAll: replace,
    anchor: quoted,
    fontcolor: quoted,
    fontsize: quoted,
    link: quoted,
  });
  bound('Object', Object, {
    keys: named(BYTES.text),
    getOwnPropertyNames: named(BYTES.text),
    values: named(3 * BYTES.slot),
    entries: named(BYTES.pair),
    getOwnPropertyDescriptors: named(BYTES.pair),
    assign: (_self, args) => ofIndexed(args[1], BYTES.part),
  });
  bound('Reflect', Reflect, { ownKeys: named(BYTES.text) });
  bound('JSON', JSON, { parse: (_self, args) => parsed((args[0] = `${args[0]}`)) });
}

function bound(place: string, owner: object, requests: Readonly<Record<string, Weigh>>): void {
  for (const [name, weigh] of Object.entries(requests))
    guard(owner, name, (self, args) => checkRequest(`${place}.${name}`, weigh(self, args)));
}

/** Throws RangeError where a request would take more than one may. */
export function checkRequest(place: string, bytes: number): void {
  if (isLarge(bytes))
    throw new RangeError(`${place} could take ${bytes} bytes of the heap at once; a dispatcher may take ${MOST}`);
}

function each(bytes: number): Weigh {
  return (self) => lengthOf(self) * bytes;
}

function named(bytes: number): Weigh {
  return (_self, args) => ofIndexed(args[0], bytes);
}

/** Of what has many properties that nobody named: the names are made when they are asked for. */
function ofIndexed(value: unknown, bytes: number): number {
  return isArray(value) || isView(value) || typeof value === 'string' ? lengthOf(value) * bytes : 0;
}

/** Of a text, an array, or what looks like one. */
export function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  const length = 'length' in value ? asNumber(value.length) : 0;
  return length > 0 ? length : 0;
}

function concatenated(self: unknown, args: readonly unknown[]): number {
  let elements = isArray(self) ? self.length : 1;
  for (let i = 0; i < args.length; i++) {
    const one = args[i];
    elements += isArray(one) ? one.length : 1;
  }
  return elements * BYTES.slot;
}

/** A list is made of whatever comes, a text’s characters among it. */
function listed(_self: unknown, args: readonly unknown[]): number {
  const items = args[0];
  if (typeof items !== 'string') return lengthOf(items) * BYTES.slot;
  return items.length * (isLarge(items.length * BYTES.text) && isWide(items) ? BYTES.text : BYTES.slot);
}

function isLarge(bytes: number): boolean {
  return bytes > MOST;
}

/** The number that a built-in would read; it is read once. */
function numberAt(args: unknown[], at: number): number {
  const value = args[at];
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return 0; // the built-in throws
  const read = asNumber(value);
  args[at] = read;
  return read;
}

function repeated(self: unknown, args: unknown[]): number {
  const length = lengthOf(self) * numberAt(args, 0);
  return isLarge(2 * length) ? length * widthOf(self) : length;
}

function padded(self: unknown, args: unknown[]): number {
  const length = numberAt(args, 0);
  const wide = isLarge(2 * length) && (widthOf(self) === 2 || widthOf(args[1]) === 2);
  return length > lengthOf(self) ? length * (wide ? 2 : 1) : 0;
}

/** Each quote becomes `&quot;`. */
function quoted(self: unknown, args: readonly unknown[]): number {
  return 2 * lengthOf(self) + 12 * lengthOf(args[0]);
}

/** Bytes a character. */
function widthOf(value: unknown): number {
  return typeof value === 'string' && isWide(value) ? 2 : 1;
}

function isWide(text: string): boolean {
  return apply(exec, /[\u0100-\uffff]/, [text]) !== null;
}

function split(self: unknown, args: readonly unknown[]): number {
  if (typeof self !== 'string' || !isLarge((self.length + 1) * BYTES.text)) return 0;
  const separator = args[0];
  const limit = args[1];
  const most = limit === undefined ? Infinity : asNumber(limit) >>> 0;
  if (separator === '') return min(most, self.length) * (isWide(self) ? BYTES.text : BYTES.slot);
  return min(most, matches(self, separator) * (1 + groupsOf(separator))) * BYTES.text;
}

function replace(self: unknown, args: readonly unknown[]): number {
  if (typeof self !== 'string' || !isLarge(self.length * BYTES.part)) return 0;
  const pattern = args[0];
  if (pattern instanceof Expression && !pattern.global) return 0;
  return matches(self, pattern) * BYTES.part;
}

/** How often a pattern is found, as far as it matters. */
function matches(text: string, pattern: unknown): number {
  return pattern instanceof Expression ? found(text, pattern) : occurrences(text, asText(pattern));
}

const MATCHES_MOST = MOST / BYTES.slot;

function found(text: string, pattern: RegExp): number {
  const flags = apply(nativeReplace, pattern.flags, [/[gy]/g, '']);
  const finder = new Expression(pattern.source, `${flags}g`);
  let count = 0;
  for (; count <= MATCHES_MOST; count++) {
    const match = apply(exec, finder, [text]);
    if (match === null) break;
    if (match[0] === '') finder.lastIndex += 1;
  }
  return count;
}

function occurrences(text: string, word: string): number {
  let count = 0;
  for (let at = 0; count <= MATCHES_MOST; count++) {
    at = apply(indexOf, text, [word, at]);
    if (at < 0 || at >= text.length) break;
    at += word.length || 1;
  }
  return count;
}

/** An upper bound. */
function groupsOf(separator: unknown): number {
  return separator instanceof Expression ? occurrences(separator.source, '(') : 0;
}

/** Of a text in JSON: at most these bytes for each of its signs. Those within its texts count as well. */
const JSON_BYTES = [
  ['{', 56],
  ['[', 48],
  [':', 24],
  ['"', 16],
  ['.', 16],
  [',', 8],
] as const;
const JSON_MOST_PER_SIGN = 28;

function parsed(text: string): number {
  if (!isLarge(text.length * JSON_MOST_PER_SIGN)) return 0;
  const weights = new Float64Array(128);
  for (let i = 0; i < JSON_BYTES.length; i++) weights[known(JSON_BYTES[i])[0].charCodeAt(0)] = known(JSON_BYTES[i])[1];
  let bytes = text.length;
  for (let i = 0; i < text.length && !isLarge(bytes); i++) bytes += weights[apply(charCodeAt, text, [i])] ?? 0;
  return bytes;
}

import type { CoreId } from '../ids.ts';
import { limit } from '../limits.ts';

/** The type that each kind of field has in a message. */
interface FieldTypes {
  readonly u32: number;
  readonly int: number;
  readonly float: number;
  readonly bool: boolean;
  readonly str: string;
  readonly bytes: Uint8Array;
  readonly u32s: readonly number[];
  readonly floats: readonly number[];
  readonly strs: readonly string[];
  readonly monitors: readonly MonitorRow[];
  readonly route: readonly Route[];
  readonly answers: readonly Answer[];
  readonly cap: WireCapability;
  readonly caps: readonly WireCapability[];
}

/** The kinds of field: source expressions, true for a valid value, from which codecs are generated. */
export const FIELD_KINDS: {
  readonly [K in keyof FieldTypes]: { readonly check: (v: string) => string; readonly doc: string };
} = {
  u32: { check: (v) => `${v} >>> 0 === ${v}`, doc: 'whole number, 0 … 2³²−1' },
  int: { check: (v) => `isInt(${v})`, doc: 'safe integer' },
  float: { check: (v) => `isFinite(${v})`, doc: 'finite number' },
  bool: { check: (v) => `typeof ${v} === 'boolean'`, doc: 'true or false' },
  str: {
    check: (v) => `(typeof ${v} === 'string' && ${v}.length <= ${limit('maxStringBytes')})`,
    doc: 'UTF-8 string',
  },
  bytes: { check: (v) => `(${v} instanceof Uint8Array)`, doc: 'bytes' },
  u32s: { check: (v) => `isU32s(${v})`, doc: 'list of u32' },
  floats: { check: (v) => `isNumbers(${v})`, doc: 'list of finite numbers' },
  strs: { check: (v) => `isStrings(${v})`, doc: 'list of strings' },
  monitors: { check: (v) => `isMonitors(${v})`, doc: 'list of [core, incarnation, instance, address]' },
  route: { check: (v) => `isRoutes(${v})`, doc: 'list of [core, children], nested: a tree in send order' },
  answers: { check: (v) => `isAnswers(${v})`, doc: 'list of [core, error code]' },
  cap: { check: (v) => `isWireCapability(${v})`, doc: 'capability in wire form' },
  caps: { check: (v) => `isWireCapabilities(${v})`, doc: 'list of capabilities in wire form' },
};

/** [core, incarnation, instance, address] of a monitor that accepts links. */
export type MonitorRow = readonly [core: CoreId, incarnation: number, instance: string, address: string];
/** A core and the subtree below it, children in send order. */
export type Route = readonly [core: CoreId, children: readonly Route[]];
/** One core's answer to a round: an error's code. 0 is never sent: silence means ready. */
export type Answer = readonly [core: CoreId, code: number];
/** A capability as an array of numbers and strings; `capability/` owns the meaning and decodes it. */
type WireCapability = readonly (number | string)[];

export type FieldKind = keyof FieldTypes;
export type FieldType<K extends FieldKind> = FieldTypes[K];

function isInt(v: unknown): boolean {
  return Number.isSafeInteger(v);
}
function isU32s(v: unknown): boolean {
  return Array.isArray(v) && v.every((x) => x >>> 0 === x);
}
function isNumbers(v: unknown): boolean {
  return Array.isArray(v) && v.every((x) => Number.isFinite(x));
}
function isStrings(v: unknown): boolean {
  return Array.isArray(v) && v.every((x) => typeof x === 'string');
}
function isMonitor(v: unknown): boolean {
  if (!Array.isArray(v) || v.length !== 4) return false;
  return v[0] >>> 0 === v[0] && v[1] >>> 0 === v[1] && typeof v[2] === 'string' && typeof v[3] === 'string';
}
function isMonitors(v: unknown): boolean {
  return Array.isArray(v) && v.every(isMonitor);
}
function isRoute(v: unknown): boolean {
  return Array.isArray(v) && v.length === 2 && v[0] >>> 0 === v[0] && isRoutes(v[1]);
}
function isRoutes(v: unknown): boolean {
  return Array.isArray(v) && v.every(isRoute);
}
function isAnswers(v: unknown): boolean {
  return (
    Array.isArray(v) && v.every((a) => Array.isArray(a) && a.length === 2 && a[0] >>> 0 === a[0] && a[1] >>> 0 === a[1])
  );
}
function isWireCapability(v: unknown): boolean {
  return Array.isArray(v) && v.length <= 16 && v.every((x) => typeof x === 'string' || Number.isSafeInteger(x));
}
function isWireCapabilities(v: unknown): boolean {
  return Array.isArray(v) && v.every(isWireCapability);
}

/** Functions that check expressions may call. */
export const CHECKERS = {
  isInt,
  isFinite: Number.isFinite,
  isU32s,
  isNumbers,
  isStrings,
  isMonitors,
  isRoutes,
  isAnswers,
  isWireCapability,
  isWireCapabilities,
};

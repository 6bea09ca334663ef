import type { CoreId } from '../ids.ts';
import { limit } from '../limits.ts';

/**
 * The kinds of field that a message can have. Each row says which TypeScript type a kind has (by `example`, used for its
 * type only), and a source expression that is true for a valid value: codec functions are generated from these.
 */
export const FIELD_KINDS = {
  u32: { type: 0 as number, check: (v: string) => `${v} >>> 0 === ${v}`, doc: 'whole number, 0 … 2³²−1' },
  int: { type: 0 as number, check: (v: string) => `isInt(${v})`, doc: 'safe integer' },
  float: { type: 0 as number, check: (v: string) => `isFinite(${v})`, doc: 'finite number' },
  bool: { type: false as boolean, check: (v: string) => `typeof ${v} === 'boolean'`, doc: 'true or false' },
  str: {
    type: '' as string,
    check: (v: string) => `(typeof ${v} === 'string' && ${v}.length <= ${limit('maxStringBytes')})`,
    doc: 'UTF-8 string',
  },
  bytes: { type: new Uint8Array() as Uint8Array, check: (v: string) => `(${v} instanceof Uint8Array)`, doc: 'bytes' },
  u32s: { type: [] as readonly number[], check: (v: string) => `isU32s(${v})`, doc: 'list of u32' },
  floats: { type: [] as readonly number[], check: (v: string) => `isNumbers(${v})`, doc: 'list of finite numbers' },
  strs: { type: [] as readonly string[], check: (v: string) => `isStrings(${v})`, doc: 'list of strings' },
  monitors: {
    type: [] as readonly MonitorRow[],
    check: (v: string) => `isMonitors(${v})`,
    doc: 'list of [core, incarnation, instance, address]',
  },
  route: {
    type: [] as readonly Route[],
    check: (v: string) => `isRoutes(${v})`,
    doc: 'list of [core, children], nested: a tree in send order',
  },
  answers: {
    type: [] as readonly Answer[],
    check: (v: string) => `isAnswers(${v})`,
    doc: 'list of [core, error code]',
  },
  cap: { type: [] as WireCapability, check: (v: string) => `isWireCapability(${v})`, doc: 'capability in wire form' },
  caps: {
    type: [] as readonly WireCapability[],
    check: (v: string) => `isWireCapabilities(${v})`,
    doc: 'list of capabilities in wire form',
  },
} as const;

/** [core, incarnation, instance, address] of a monitor that can be linked to. */
export type MonitorRow = readonly [core: CoreId, incarnation: number, instance: string, address: string];
/** A core and the subtree below it, children in send order. */
export type Route = readonly [core: CoreId, children: readonly Route[]];
/** What one core answered to a round: an error's code; 0 is never sent (silence means ready). */
export type Answer = readonly [core: CoreId, code: number];
/** A capability as an array of numbers and strings; `capability/` owns the meaning and decodes it. */
export type WireCapability = readonly (number | string)[];

export type FieldKind = keyof typeof FIELD_KINDS;
export type FieldType<K extends FieldKind> = (typeof FIELD_KINDS)[K]['type'];

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

/** The functions that check expressions may name. */
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

import type { Invocation, Operation } from '../capability/invocations/decode.ts';
import type { SlotRef } from '../capability/store/cspace.ts';
import { CAPABILITY_TYPES } from '../capability/model/types.ts';

/** What the fields of an invocation may be. */
type Kind = 'slot' | 'whole' | 'type' | 'wholes?';

const FIELDS: { readonly [K in Operation]: Readonly<Record<string, Kind>> } = {
  copy: { source: 'slot', destination: 'slot' },
  mint: { source: 'slot', destination: 'slot', rights: 'whole' },
  move: { source: 'slot', destination: 'slot' },
  delete: { target: 'slot' },
  revoke: { target: 'slot' },
  retype: {
    source: 'slot',
    destination: 'slot',
    type: 'type',
    offset: 'whole',
    objectSize: 'whole',
    count: 'whole',
    fields: 'wholes?',
  },
  identify: { target: 'slot' },
  create_cnode: { source: 'slot', destination: 'slot', type: 'type', offset: 'whole', size: 'whole' },
  resize_cnode: { cnode: 'slot', returnTo: 'slot' },
  create_id: { destination: 'slot' },
  map: {
    source: 'slot',
    table: 'slot',
    entry: 'whole',
    count: 'whole',
    offset: 'whole',
    rights: 'whole',
    destination: 'slot',
  },
  protect: { mapping: 'slot', entry: 'whole', count: 'whole', rights: 'whole' },
  unmap: { mapping: 'slot' },
};

const CHECKS: { readonly [K in Kind]: (value: unknown) => boolean } = {
  slot: isSlotRef,
  whole: isWhole,
  type: (value) => typeof value === 'string' && Object.hasOwn(CAPABILITY_TYPES, value),
  'wholes?': (value) => value === undefined || (Array.isArray(value) && value.length <= 8 && value.every(isWhole)),
};

/** What a program passed, as an invocation; null when it has not the form of one. Believes nothing. */
export function checkInvocation(value: unknown): Invocation | null {
  if (typeof value !== 'object' || value === null) return null;
  const given = value as Readonly<Record<string, unknown>>;
  const { operation } = given;
  if (typeof operation !== 'string' || !Object.hasOwn(FIELDS, operation)) return null;
  const fields = FIELDS[operation as Operation];
  if (Object.keys(given).some((name) => name !== 'operation' && !Object.hasOwn(fields, name))) return null;
  const fits = Object.entries(fields).every(([name, kind]) => CHECKS[kind](given[name]));
  return fits ? (given as unknown as Invocation) : null;
}

export function isSlotRef(value: unknown): value is SlotRef {
  if (typeof value !== 'object' || value === null) return false;
  const { address, level, root } = value as Readonly<Record<string, unknown>>;
  return (
    isWhole(address) && (level === undefined || level === 1 || level === 2) && (root === undefined || isWhole(root))
  );
}

export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

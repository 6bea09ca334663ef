import { isKeyOf } from '@mk/monitor-proto/tables';
import { isListOf, isRecord, isWhole } from '@mk/monitor-proto/guards';
import type { Invocation, Operation } from '../capability/invocations/decode.ts';
import type { SlotRef } from '../capability/store/cspace.ts';
import { CAPABILITY_TYPES } from '../capability/model/types.ts';

/** The forms of an invocation's fields. */
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
  whole: (value) => isWhole(value),
  type: (value) => typeof value === 'string' && Object.hasOwn(CAPABILITY_TYPES, value),
  'wholes?': (value) => value === undefined || (isListOf(value, isWhole) && value.length <= 8),
};

/** A program's argument as an invocation; null when it is malformed. Trusts nothing. */
export function checkInvocation(value: unknown): Invocation | null {
  return isInvocation(value) ? value : null;
}

function isInvocation(value: unknown): value is Invocation {
  if (!isRecord(value)) return false;
  const { operation } = value;
  if (typeof operation !== 'string' || !isKeyOf(FIELDS, operation)) return false;
  const fields = FIELDS[operation];
  if (Object.keys(value).some((name) => name !== 'operation' && !Object.hasOwn(fields, name))) return false;
  return Object.entries(fields).every(([name, kind]) => CHECKS[kind](value[name]));
}

/** Explains to a program's author why an argument is not an invocation. */
export function whyNoInvocation(value: unknown): string {
  if (!isRecord(value)) return `an invocation must be a record, not ${shown(value)}`;
  const { operation } = value;
  if (typeof operation !== 'string' || !isKeyOf(FIELDS, operation)) return `there is no operation ${shown(operation)}`;
  const fields = FIELDS[operation];
  const strange = Object.keys(value).find((name) => name !== 'operation' && !Object.hasOwn(fields, name));
  if (strange !== undefined) return `${operation} takes no ${shown(strange)}`;
  const misfit = Object.entries(fields).find(([name, kind]) => !CHECKS[kind](value[name]));
  if (misfit === undefined) return `${operation} is well-formed`;
  const [name, kind] = misfit;
  return `the ${name} of ${operation} is not ${WORDS[kind]}: ${shown(value[name])}`;
}

const WORDS: { readonly [K in Kind]: string } = {
  slot: 'an address of a capability',
  whole: 'a whole number of 0 or more',
  type: 'a type of capability',
  'wholes?': 'a list of at most 8 whole numbers',
};

/** Shows a program's value in an error text: its beginning, on one line. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (Array.isArray(value)) return 'a list';
  return isRecord(value) ? shownRecord(value) : String(value).slice(0, 40);
}

/** A capability is shown by its address. */
function shownRecord({ address }: Readonly<Record<string, unknown>>): string {
  return typeof address === 'number' || typeof address === 'string' ? shown(address) : 'a record';
}

export function isSlotRef(value: unknown): value is SlotRef {
  if (!isRecord(value)) return false;
  const { address, level, root } = value;
  return (
    isWhole(address) && (level === undefined || level === 1 || level === 2) && (root === undefined || isWhole(root))
  );
}

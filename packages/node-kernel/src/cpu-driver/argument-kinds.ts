import { isListOf, isRecord, isText, isWhole } from '@mk/monitor-proto/guards';
import { isBytes } from '@mk/libmk/dispatcher/plain-value';
import { CAPABILITY_TYPES, type CapabilityType } from '../capability/model/types.ts';
import type { SlotRef } from '../capability/store/cspace.ts';

/** What a handler sees of an argument, by its kind; `?`: optional. */
export interface ArgumentTypes {
  slot: SlotRef;
  whole: number;
  'whole?': number | undefined;
  /** Any whole number, negative ones too. */
  int: number;
  number: number;
  text: string;
  'text?': string | undefined;
  flag: boolean;
  'flag?': boolean | undefined;
  bytes: Uint8Array;
  wholes: readonly number[];
  'wholes?': readonly number[] | undefined;
  'texts?': readonly string[] | undefined;
  /** A record of texts. */
  'names?': Readonly<Record<string, string>> | undefined;
  /** A capability type. */
  type: CapabilityType;
  /** The fields of a type, at most eight. */
  'fields?': readonly number[] | undefined;
  /** Any value that can cross between dispatcher and core. */
  value: unknown;
}
export type Kind = keyof ArgumentTypes;
/** An object with exactly these fields. */
export type ObjectForm = Readonly<Record<string, Kind>>;

interface KindSpec {
  readonly fits: (value: unknown) => boolean;
  /** Completes "… is not". */
  readonly words: string;
}

const MAX_FIELDS = 8;
const isWholes = (value: unknown): value is readonly number[] => isListOf(value, isWhole);

/** The one check of each kind. None trusts its value, none throws. */
export const KINDS: { readonly [K in Kind]: KindSpec } = {
  slot: { fits: isSlotRef, words: 'an address of a capability' },
  whole: { fits: (value) => isWhole(value), words: 'a whole number of 0 or more' },
  'whole?': { fits: optional(isWhole), words: 'a whole number of 0 or more' },
  int: { fits: (value) => Number.isSafeInteger(value), words: 'a whole number' },
  number: { fits: (value) => Number.isFinite(value), words: 'a number' },
  text: { fits: isText, words: 'text' },
  'text?': { fits: optional(isText), words: 'text' },
  flag: { fits: isFlag, words: 'true or false' },
  'flag?': { fits: optional(isFlag), words: 'true or false' },
  bytes: { fits: isBytes, words: 'bytes' },
  wholes: { fits: isWholes, words: 'a list of whole numbers' },
  'wholes?': { fits: optional(isWholes), words: 'a list of whole numbers' },
  'texts?': { fits: optional((value) => isListOf(value, isText)), words: 'a list of texts' },
  'names?': {
    fits: optional((value) => isRecord(value) && Object.values(value).every(isText)),
    words: 'a record of texts',
  },
  type: { fits: (value) => isText(value) && Object.hasOwn(CAPABILITY_TYPES, value), words: 'a type of capability' },
  'fields?': {
    fits: optional((value) => isWholes(value) && value.length <= MAX_FIELDS),
    words: `a list of at most ${MAX_FIELDS} whole numbers`,
  },
  value: { fits: () => true, words: 'a value' },
};

/** A form with its fields in order: listed once, not at each check. */
export interface ListedForm {
  readonly form: ObjectForm;
  readonly fields: readonly (readonly [name: string, kind: Kind])[];
}

export function listed(form: ObjectForm): ListedForm {
  return { form, fields: Object.entries(form) };
}

/** The first field of `value` that the form does not know; undefined: none. */
export function strangeField({ form }: ListedForm, value: Readonly<Record<string, unknown>>): string | undefined {
  return Object.keys(value).find((name) => !Object.hasOwn(form, name));
}

/** The first field of the form, with its kind, whose value has another; undefined: all fit. */
export function misfitField(
  { fields }: ListedForm,
  value: Readonly<Record<string, unknown>>,
): readonly [name: string, kind: Kind] | undefined {
  return fields.find(([name, kind]) => !KINDS[kind].fits(value[name]));
}

/** Says that a value is not of its kind: `bytes is not a whole number of 0 or more: -1`. */
export function notOfKind(name: string, kind: Kind, value: unknown): string {
  return `${name} is not ${KINDS[kind].words}: ${shown(value)}`;
}

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

function isSlotRef(value: unknown): value is SlotRef {
  if (!isRecord(value)) return false;
  const { address, level, root } = value;
  return (
    isWhole(address) && (level === undefined || level === 1 || level === 2) && (root === undefined || isWhole(root))
  );
}

function isFlag(value: unknown): boolean {
  return typeof value === 'boolean';
}

function optional(fits: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === undefined || fits(value);
}

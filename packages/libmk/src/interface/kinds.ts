import { known } from '@mk/monitor-proto/assert';
import { isRecord } from '@mk/monitor-proto/guards';
import { MkError } from '../runtime/mk-error.ts';
import { type MessageReader, type MessageWriter, utf8Length } from './message-bytes.ts';

/**
 * A kind of value that a message can carry: its TypeScript type, its check, and its wire form. The same check runs at
 * both ends.
 */
export interface Kind<T> {
  /** The kind in words, equal for equal kinds: interfaces are compared by it. */
  readonly name: string;
  /** Throws BAD_MESSAGE, with `path` in its text, for a value of another kind. */
  write(out: MessageWriter, value: T, path: string): void;
  /** Throws BAD_MESSAGE. */
  read(from: MessageReader, path: string): T;
}

/** The type of a kind's values. */
type ValueOf<K> = K extends Kind<infer T> ? T : never;

/** The address of a capability in the program's own cspace. */
export type Cap = number;

function refuse(path: string, value: unknown, name: string): MkError {
  return new MkError('BAD_MESSAGE', `${path}: ${show(value)} is not a valid ${name}`);
}

function show(value: unknown): string {
  if (typeof value === 'string') return `“${value.length > 40 ? `${value.slice(0, 40)}…` : value}”`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'a record' : String(value);
}

function whole(name: string, least: number, most: number, bytes: 1 | 2 | 4): Kind<number> {
  const write = { 1: 'u8', 2: 'u16', 4: 'u32' } as const;
  const method = write[bytes];
  return {
    name,
    write(out, value, path) {
      if (!Number.isInteger(value) || value < least || value > most)
        throw refuse(path, value, `${name} (${least} … ${most})`);
      out[method](value - least);
    },
    read(from, path) {
      const value = from[method]() + least;
      if (value > most) throw refuse(path, value, name);
      return value;
    },
  };
}

/** Whole numbers 0 … 255. */
export const u8: Kind<number> = whole('u8', 0, 255, 1);
/** Whole numbers 0 … 65,535. */
export const u16: Kind<number> = whole('u16', 0, 65_535, 2);
/** Whole numbers 0 … 2³²−1. */
export const u32: Kind<number> = whole('u32', 0, 2 ** 32 - 1, 4);
/** Whole numbers −2³¹ … 2³¹−1. */
export const i32: Kind<number> = whole('i32', -(2 ** 31), 2 ** 31 - 1, 4);

/** Whole numbers that a JavaScript number holds exactly: −(2⁵³−1) … 2⁵³−1. */
export const int: Kind<number> = {
  name: 'int',
  write(out, value, path) {
    if (!Number.isSafeInteger(value)) throw refuse(path, value, 'int');
    out.float(value);
  },
  read(from, path) {
    const value = from.float();
    if (!Number.isSafeInteger(value)) throw refuse(path, value, 'int');
    return value;
  },
};

/** Finite numbers. */
export const float: Kind<number> = {
  name: 'float',
  write(out, value, path) {
    if (!Number.isFinite(value)) throw refuse(path, value, 'float');
    out.float(value);
  },
  read(from, path) {
    const value = from.float();
    if (!Number.isFinite(value)) throw refuse(path, value, 'float');
    return value;
  },
};

export const bool: Kind<boolean> = {
  name: 'bool',
  write(out, value, path) {
    if (typeof value !== 'boolean') throw refuse(path, value, 'bool');
    out.u8(value ? 1 : 0);
  },
  read(from, path) {
    const value = from.u8();
    if (value > 1) throw refuse(path, value, 'bool');
    return value === 1;
  },
};

/** Text of at most so many bytes of UTF-8. */
export function text(maxBytes: number): Kind<string> {
  const name = `text(${bound(maxBytes)})`;
  return {
    name,
    write(out, value, path) {
      if (typeof value !== 'string' || value.length > maxBytes || utf8Length(value) > maxBytes)
        throw refuse(path, value, name);
      out.text(value);
    },
    read: (from) => from.text(maxBytes),
  };
}

/** Bytes, at most so many. */
export function bytes(maxBytes: number): Kind<Uint8Array> {
  const name = `bytes(${bound(maxBytes)})`;
  return {
    name,
    write(out, value, path) {
      if (!(value instanceof Uint8Array) || value.length > maxBytes) throw refuse(path, value, name);
      out.raw(value);
    },
    read: (from) => from.raw(maxBytes),
  };
}

/** A list of at most so many values of a kind. */
export function list<T>(of: Kind<T>, maxItems: number): Kind<readonly T[]> {
  const name = `list(${of.name}, ${bound(maxItems)})`;
  return {
    name,
    write(out, value, path) {
      if (!Array.isArray(value) || value.length > maxItems) throw refuse(path, value, name);
      out.count(value.length);
      value.forEach((item: T, i) => of.write(out, item, `${path}[${i}]`));
    },
    read(from, path) {
      const count = from.count();
      if (count > maxItems) throw new MkError('BAD_MESSAGE', `${path}: ${count} items in a ${name}`);
      return Array.from({ length: count }, (_, i) => of.read(from, `${path}[${i}]`));
    },
  };
}

/** One of these texts. */
export function choice<const C extends readonly [string, ...string[]]>(...names: C): Kind<C[number]> {
  const name = `choice(${names.join('|')})`;
  if (names.length > 256 || new Set(names).size !== names.length)
    throw new RangeError(`${name}: at most 256, each once`);
  return {
    name,
    write(out, value, path) {
      const at = names.indexOf(value);
      if (at < 0) throw refuse(path, value, name);
      out.u8(at);
    },
    read(from, path) {
      const at = from.u8();
      const chosen: C[number] | undefined = names[at];
      if (chosen === undefined) throw refuse(path, at, name);
      return chosen;
    },
  };
}

/** The value, or null. */
export function optional<T>(of: Kind<T>): Kind<T | null> {
  return {
    name: `optional(${of.name})`,
    write(out, value, path) {
      out.u8(value === null || value === undefined ? 0 : 1);
      if (value !== null && value !== undefined) of.write(out, value, path);
    },
    read: (from, path) => (bool.read(from, path) ? of.read(from, path) : null),
  };
}

/** A capability: the receiver gets a copy, the sender keeps its own. Takes the grant right. */
export const cap: Kind<Cap> = capability('cap', false);
/** A capability that leaves its sender. */
export const giveAwayCap: Kind<Cap> = capability('give_away_cap', true);

/** The fields of a record. */
export type Fields = Readonly<Record<string, Kind<unknown>>>;
/** The values of a record with these fields. */
export type RecordOf<F> = { readonly [N in keyof F]: ValueOf<F[N]> };

/** A record: each field by name, none missing and none extra. */
export function record<F extends Fields>(fields: F): Kind<RecordOf<F>> {
  const rows = Object.entries<Kind<unknown>>(fields);
  if (Object.hasOwn(fields, '__proto__')) throw new RangeError('a record has no field __proto__');
  const pathsOf = pathsBelow(rows.map(([field]) => field));
  const name = `{${rows.map(([field, kind]) => `${field}: ${kind.name}`).join(', ')}}`;
  return {
    name,
    write(out, value, path) {
      const given: unknown = value;
      if (!isRecord(given)) throw refuse(path, value, name);
      for (const field of Object.keys(given)) {
        if (!Object.hasOwn(fields, field)) throw new MkError('BAD_MESSAGE', `${path}: no field ${field} in ${name}`);
      }
      const paths = pathsOf(path);
      for (let i = 0; i < rows.length; i++) {
        const [field, kind] = known(rows[i]);
        kind.write(out, given[field], known(paths[i]));
      }
    },
    read(from, path) {
      const made: Record<string, unknown> = {};
      const paths = pathsOf(path);
      for (let i = 0; i < rows.length; i++) {
        const [field, kind] = known(rows[i]);
        made[field] = kind.read(from, known(paths[i]));
      }
      return made as RecordOf<F>;
    },
  };
}

/** The paths of a record's fields, cached for the last path seen: only errors use them. */
function pathsBelow(fields: readonly string[]): (path: string) => readonly string[] {
  let last: string | null = null;
  let paths: readonly string[] = [];
  return (path) => {
    if (path === last) return paths;
    last = path;
    return (paths = fields.map((field) => `${path}.${field}`));
  };
}

function capability(name: string, giveAway: boolean): Kind<Cap> {
  return {
    name,
    write(out, value, path) {
      if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32)
        throw refuse(path, value, 'address of a capability');
      out.capabilities.push({ address: value, giveAway });
    },
    read: (from) => from.cap(),
  };
}

function bound(most: number): number {
  if (!Number.isSafeInteger(most) || most < 0) throw new RangeError(`a size is a whole number from 0, not ${most}`);
  return most;
}

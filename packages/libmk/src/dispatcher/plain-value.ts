import { known } from '@mk/monitor-proto/assert';
import { borderLimit } from './limits.ts';

/**
 * What may cross the border: null, booleans, finite numbers, texts, bytes, lists and records of these. `undefined` crosses
 * as null in lists and not at all in records; everything else (functions, classes, cycles, NaN) is refused by the writer.
 */
export type PlainValue =
  | null
  | undefined
  | boolean
  | number
  | string
  | Uint8Array
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };

/** A value that cannot cross, or malformed bytes. */
export class BorderError extends Error {
  override readonly name = 'BorderError';
}

const TAG = {
  null: 0,
  false: 1,
  true: 2,
  u32: 3,
  float: 4,
  text8: 5,
  text16: 6,
  bytes: 7,
  list: 8,
  record: 9,
} as const;
/** Heads from here on encode the whole numbers 0 … 127. */
const SMALL = 128;
const FIRST_BYTES = 256;
const MAX_DEPTH = borderLimit('valueNesting');

/**
 * Writes plain values one after the other into memory that it reuses. Uses neither TextEncoder nor Buffer, which a bare
 * context lacks.
 */
export class PlainWriter {
  private bytes = new Uint8Array(FIRST_BYTES);
  private view = new DataView(this.bytes.buffer);
  private at = 0;

  /** `maxBytes`: writing more throws BorderError. */
  constructor(private readonly maxBytes: number) {}

  get length(): number {
    return this.at;
  }

  clear(): void {
    this.at = 0;
  }

  /** Drops what was written past `length`. */
  rewind(length: number): void {
    this.at = length;
  }

  /** The bytes written, as a view that the next write may change. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  write(value: PlainValue, depth = 0): void {
    if (value === null || value === undefined) this.byte(TAG.null);
    else if (typeof value === 'number') this.number(value);
    else if (typeof value === 'string') this.text(value);
    else if (typeof value === 'boolean') this.byte(value ? TAG.true : TAG.false);
    else if (typeof value !== 'object') throw new BorderError(`a ${typeof value} cannot cross the border`);
    else if (depth >= MAX_DEPTH) throw new BorderError(`nested deeper than ${MAX_DEPTH} levels`);
    else this.object(value, depth + 1);
  }

  private object(value: Extract<PlainValue, object>, depth: number): void {
    if (isList(value)) {
      this.head(TAG.list, value.length, 0);
      for (let i = 0; i < value.length; i++) this.write(value[i], depth);
    } else if (isBytes(value)) {
      this.head(TAG.bytes, value.length, value.length);
      this.bytes.set(value, this.at);
      this.at += value.length;
    } else this.record(value, depth);
  }

  private record(value: Readonly<Record<string, PlainValue>>, depth: number): void {
    const keys = Object.keys(value).filter((key) => value[key] !== undefined);
    this.head(TAG.record, keys.length, 0);
    for (const key of keys) {
      if (key === '__proto__') throw new BorderError('a record has no field __proto__');
      this.text(key);
      this.write(value[key], depth);
    }
  }

  private number(value: number): void {
    if (value >>> 0 === value && !Object.is(value, -0)) {
      if (value < SMALL) return this.byte(SMALL | value);
      this.room(5);
      this.bytes[this.at] = TAG.u32;
      this.view.setUint32(this.at + 1, value);
      this.at += 5;
      return;
    }
    if (!Number.isFinite(value)) throw new BorderError(`${value} cannot cross the border`);
    this.room(9);
    this.bytes[this.at] = TAG.float;
    this.view.setFloat64(this.at + 1, value);
    this.at += 9;
  }

  private text(value: string): void {
    const { length } = value;
    const start = this.at;
    this.head(TAG.text8, length, length);
    let at = this.at;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 255) {
        this.at = start;
        return this.wideText(value);
      }
      this.bytes[at++] = unit;
    }
    this.at = at;
  }

  private wideText(value: string): void {
    this.head(TAG.text16, value.length, 2 * value.length);
    for (let i = 0; i < value.length; i++) this.view.setUint16(this.at + 2 * i, value.charCodeAt(i));
    this.at += 2 * value.length;
  }

  private byte(value: number): void {
    this.room(1);
    this.bytes[this.at++] = value;
  }

  private head(tag: number, count: number, follows: number): void {
    this.room(5 + follows);
    this.bytes[this.at] = tag;
    this.view.setUint32(this.at + 1, count);
    this.at += 5;
  }

  private room(count: number): void {
    const needed = this.at + count;
    if (needed <= this.bytes.length) return;
    if (needed > this.maxBytes) throw new BorderError(`larger than ${this.maxBytes} bytes`);
    const larger = new Uint8Array(Math.min(this.maxBytes, Math.max(needed, 2 * this.bytes.length)));
    larger.set(this.written());
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

/** Reads the output of a PlainWriter, trusting nothing: BorderError for anything else. */
export class PlainReader {
  private readonly view: DataView;
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get done(): boolean {
    return this.at === this.bytes.length;
  }

  read(depth = 0): PlainValue {
    this.need(1);
    const head = known(this.bytes[this.at++]);
    if (head >= SMALL) return head & 127;
    if (head === TAG.null) return null;
    if (head === TAG.false || head === TAG.true) return head === TAG.true;
    if (head === TAG.float) return this.float();
    const count = this.count();
    if (head === TAG.u32) return count;
    if (head === TAG.text8) return this.text(count, 1);
    if (head === TAG.text16) return this.text(count, 2);
    if (head === TAG.bytes) return this.slice(count);
    if (depth >= MAX_DEPTH) throw new BorderError(`nested deeper than ${MAX_DEPTH} levels`);
    if (head === TAG.list) return this.list(count, depth + 1);
    if (head === TAG.record) return this.record(count, depth + 1);
    throw new BorderError(`no value begins with ${head}`);
  }

  private float(): number {
    this.need(8);
    const value = this.view.getFloat64(this.at);
    this.at += 8;
    if (!Number.isFinite(value)) throw new BorderError('a number that is none');
    return value;
  }

  private count(): number {
    this.need(4);
    const count = this.view.getUint32(this.at);
    this.at += 4;
    return count;
  }

  private slice(length: number): Uint8Array {
    this.need(length);
    const from = this.at;
    this.at += length;
    return this.bytes.slice(from, this.at);
  }

  private text(length: number, width: 1 | 2): string {
    this.need(length * width);
    const from = this.at;
    this.at += length * width;
    let text = '';
    for (let i = 0; i < length; i++)
      text += String.fromCharCode(width === 1 ? known(this.bytes[from + i]) : this.view.getUint16(from + 2 * i));
    return text;
  }

  private list(count: number, depth: number): readonly PlainValue[] {
    this.need(count); // each value takes at least a byte, so a peer cannot make us reserve memory for data that it did not send
    const list: PlainValue[] = [];
    for (let i = 0; i < count; i++) list.push(this.read(depth));
    return list;
  }

  private record(count: number, depth: number): { readonly [key: string]: PlainValue } {
    this.need(2 * count);
    const record: Record<string, PlainValue> = {};
    for (let i = 0; i < count; i++) {
      const key = this.read(depth);
      if (typeof key !== 'string' || key === '__proto__') throw new BorderError('a record’s field without a name');
      record[key] = this.read(depth);
    }
    return record;
  }

  private need(count: number): void {
    if (this.at + count > this.bytes.length) throw new BorderError('the bytes end too soon');
  }
}

/** Bytes of this or another realm: a context's typed array is not an instance of the host's Uint8Array. */
export function isBytes(value: unknown): value is Uint8Array {
  return apply(kindOfView, value, []) === 'Uint8Array';
}

const { apply } = Reflect;
/** The kind of any realm’s typed array, by a getter that a program cannot change; undefined for everything else. */
const kindOfView: (this: unknown) => unknown =
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get ??
  (() => undefined);

function isList(value: PlainValue): value is readonly PlainValue[] {
  return Array.isArray(value);
}

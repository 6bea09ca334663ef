/*
 * Writes the msgpack that frames consist of: nil, booleans, numbers, strings, byte arrays and arrays, nothing else (the
 * values that scan.ts admits). msgpackr reads it at the other end, and tests compare with its packer.
 *
 * Why not that packer: it looks a byte array up in a list of classes and hands it to a closure, a third of the cost of
 * sending a message with one; this takes a tenth to a third of its time (decision 0060).
 */

/** The values that a frame may hold. */
export type WireValue = null | boolean | number | string | Uint8Array | readonly WireValue[];

const SLAB_BYTES = 64 << 10;
/** With less room left, the next frame begins a new slab rather than growing in the middle. */
const SPARE_BYTES = 2 << 10;
/** The longest head with its number: a byte and a float. */
const HEAD_BYTES = 9;
/** Up to here a loop copies faster than a call. */
const LOOP_BYTES = 32;
/** The same for text; an instance's name has 32 characters. */
const ASCII_LOOP = 64;

let slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
let view: DataView = new DataView(slab.buffer);
let start = 0;
let at = 0;

/** Begins a value: `write` writes it whole, `writeArrayHead` and `write` piece by piece, without building an array. */
export function beginMsgpack(): void {
  if (slab.length - at < SPARE_BYTES) useSlab(Buffer.allocUnsafeSlow(SLAB_BYTES), 0);
  start = at;
}

/**
 * The bytes written since `beginMsgpack`. They belong to the caller, are immutable from then on, and share a slab with
 * others.
 */
export function endMsgpack(): Uint8Array {
  return slab.subarray(start, at);
}

export function write(value: WireValue): void {
  if (typeof value === 'number') writeNumber(value);
  else if (typeof value === 'string') writeString(value);
  else if (value instanceof Uint8Array) writeBytes(value);
  else if (Array.isArray(value)) writeArray(value);
  else {
    reserve(1);
    slab[at++] = value === true ? 0xc3 : value === false ? 0xc2 : 0xc0;
  }
}

function writeArray(values: readonly WireValue[]): void {
  const { length } = values;
  writeArrayHead(length);
  for (let i = 0; i < length; i++) write(values[i]!);
}

/** Begins an array of so many elements, which the caller writes next. */
export function writeArrayHead(length: number): void {
  reserve(HEAD_BYTES);
  if (length < 0x10) slab[at++] = 0x90 | length;
  else if (length < 0x10000) head16(0xdc, length);
  else head32(0xdd, length);
}

function writeNumber(value: number): void {
  reserve(HEAD_BYTES);
  if (value >>> 0 === value) {
    if (value < 0x80) slab[at++] = value;
    else if (value < 0x100) head8(0xcc, value);
    else if (value < 0x10000) head16(0xcd, value);
    else head32(0xce, value);
  } else if (value >> 0 === value) {
    if (value >= -0x20) slab[at++] = 0x100 + value;
    else head32(0xd2, value >>> 0);
  } else {
    slab[at] = 0xcb;
    view.setFloat64(at + 1, value);
    at += 9;
  }
}

function writeBytes(bytes: Uint8Array): void {
  const { length } = bytes;
  reserve(HEAD_BYTES + length);
  if (length < 0x100) head8(0xc4, length);
  else if (length < 0x10000) head16(0xc5, length);
  else head32(0xc6, length);
  if (length <= LOOP_BYTES) for (let i = 0; i < length; i++) slab[at + i] = bytes[i]!;
  else slab.set(bytes, at);
  at += length;
}

function writeString(text: string): void {
  const { length } = text;
  reserve(HEAD_BYTES + 3 * length);
  if (length <= ASCII_LOOP && writeShortAscii(text, length)) return;
  // Room for the length of the longest encoding of so many characters.
  const head = 3 * length < 0x100 ? 2 : 3 * length < 0x10000 ? 3 : 5;
  const bytes = slab.write(text, at + head);
  const from = at;
  if (head === 2) head8(0xd9, bytes);
  else if (head === 3) head16(0xda, bytes);
  else head32(0xdb, bytes);
  at = from + head + bytes;
}

/** False, with nothing written, when the text has other characters. */
function writeShortAscii(text: string, length: number): boolean {
  const from = length < 0x20 ? at + 1 : at + 2;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) return false;
    slab[from + i] = code;
  }
  if (length < 0x20) slab[at] = 0xa0 | length;
  else head8(0xd9, length);
  at = from + length;
  return true;
}

function head8(kind: number, value: number): void {
  slab[at++] = kind;
  slab[at++] = value;
}

function head16(kind: number, value: number): void {
  slab[at++] = kind;
  slab[at++] = value >> 8;
  slab[at++] = value;
}

function head32(kind: number, value: number): void {
  slab[at] = kind;
  view.setUint32(at + 1, value);
  at += 5;
}

/** Makes room for so many more bytes; moves the current frame to a larger slab if need be. */
function reserve(bytes: number): void {
  if (at + bytes <= slab.length) return;
  const written = at - start;
  const larger = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (written + bytes)));
  larger.set(slab.subarray(start, at));
  useSlab(larger, written);
}

function useSlab(next: Buffer, written: number): void {
  slab = next;
  view = new DataView(next.buffer);
  start = 0;
  at = written;
}

import { known } from '@mk/monitor-proto/assert';
import { MkError } from '../runtime/mk-error.ts';

/** A capability that travels in a message: its address at the sender, and whether it leaves there. */
export interface SentCapability {
  readonly address: number;
  readonly giveAway: boolean;
}

const FIRST_BYTES = 256;

/** Writes one message, growing as needed. A bare context has no TextEncoder: text becomes UTF-8 here. */
export class MessageWriter {
  readonly capabilities: SentCapability[] = [];
  private bytes = new Uint8Array(FIRST_BYTES);
  private view = new DataView(this.bytes.buffer);
  private at = 0;

  get length(): number {
    return this.at;
  }

  clear(): void {
    this.at = 0;
    this.capabilities.length = 0;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }

  /** An independent writer with the same content. */
  copy(): MessageWriter {
    const copy = new MessageWriter();
    copy.put(this.take(), this.at);
    copy.capabilities.push(...this.capabilities);
    return copy;
  }

  u8(value: number): void {
    this.room(1);
    this.bytes[this.at++] = value;
  }

  u16(value: number): void {
    this.room(2);
    this.view.setUint16(this.at, value);
    this.at += 2;
  }

  u32(value: number): void {
    this.room(4);
    this.view.setUint32(this.at, value);
    this.at += 4;
  }

  float(value: number): void {
    this.room(8);
    this.view.setFloat64(this.at, value);
    this.at += 8;
  }

  /** A whole number from 0 in as few bytes as possible: counts, tokens, numbers of methods. */
  count(value: number): void {
    let left = value;
    while (left >= 0x80) {
      this.u8((left % 0x80) | 0x80);
      left = Math.floor(left / 0x80);
    }
    this.u8(left);
  }

  raw(value: Uint8Array): void {
    this.count(value.length);
    this.put(value, value.length);
  }

  /** Another writer's content, preceded by its length (4 bytes). */
  append(other: MessageWriter): void {
    this.u32(other.at);
    if (other.at <= LOOPED_BYTES) this.put(other.bytes, other.at);
    else this.put(other.bytes.subarray(0, other.at), other.at);
  }

  /** Copies the first `count` bytes of `from`; in one piece if there are many. */
  private put(from: Uint8Array, count: number): void {
    this.room(count);
    const { bytes, at } = this;
    if (count <= LOOPED_BYTES) for (let i = 0; i < count; i++) bytes[at + i] = from[i] ?? 0;
    else bytes.set(from, at);
    this.at += count;
  }

  /** UTF-8 preceded by its length; half a surrogate pair becomes U+FFFD. */
  text(value: string): void {
    const length = utf8Length(value);
    this.count(length);
    this.room(length);
    if (length === value.length) for (let i = 0; i < length; i++) this.bytes[this.at++] = value.charCodeAt(i);
    else for (const character of value) this.character(scalar(character));
  }

  private character(code: number): void {
    const { bytes } = this;
    if (code < 0x80) bytes[this.at++] = code;
    else if (code < 0x800) {
      bytes[this.at++] = 0xc0 | (code >> 6);
      bytes[this.at++] = 0x80 | (code & 0x3f);
    } else if (code < 0x10000) {
      bytes[this.at++] = 0xe0 | (code >> 12);
      bytes[this.at++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[this.at++] = 0x80 | (code & 0x3f);
    } else {
      bytes[this.at++] = 0xf0 | (code >> 18);
      bytes[this.at++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[this.at++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[this.at++] = 0x80 | (code & 0x3f);
    }
  }

  private room(count: number): void {
    const needed = this.at + count;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

/** Up to this size a loop beats a built-in, which first examines the array. */
const LOOPED_BYTES = 96;

/** Reads one message and trusts nothing: BAD_MESSAGE for malformed bytes. */
export class MessageReader {
  /** Made on demand: small messages hold no numbers that need it. */
  private made: DataView | null = null;
  private capability = 0;

  /** The message lies between `at` and `until`. */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly capabilities: readonly number[] = [],
    private at = 0,
    private readonly until = bytes.length,
  ) {}

  /** Addresses of all capabilities that came with it. */
  get carried(): readonly number[] {
    return this.capabilities;
  }

  private get view(): DataView {
    const { bytes } = this;
    return (this.made ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.at !== this.until || this.capability !== this.capabilities.length)
      throw bad('it is longer than its interface says');
  }

  u8(): number {
    return known(this.bytes[this.advance(1)]);
  }

  u16(): number {
    return this.view.getUint16(this.advance(2));
  }

  u32(): number {
    return this.view.getUint32(this.advance(4));
  }

  float(): number {
    return this.view.getFloat64(this.advance(8));
  }

  count(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 53; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return this.safe(value);
    }
    throw bad('a count without an end');
  }

  raw(mostBytes: number): Uint8Array {
    const length = this.count();
    if (length > mostBytes) throw bad(`${length} bytes where ${mostBytes} fit`);
    const from = this.advance(length);
    return this.bytes.slice(from, from + length);
  }

  text(mostBytes: number): string {
    const length = this.count();
    if (length > mostBytes) throw bad(`a text of ${length} bytes where ${mostBytes} fit`);
    const from = this.advance(length);
    return decodeUtf8(this.bytes, from, length);
  }

  /** The address of the message's next capability. */
  cap(): number {
    const address = this.capabilities[this.capability];
    if (address === undefined) throw bad('a capability is missing');
    this.capability += 1;
    return address;
  }

  private safe(value: number): number {
    if (!Number.isSafeInteger(value)) throw bad('a count that is too large');
    return value;
  }

  private advance(count: number): number {
    const { at } = this;
    if (at + count > this.until) throw bad('it ends too soon');
    this.at += count;
    return at;
  }
}

/** How many bytes a text takes as UTF-8. */
export function utf8Length(value: string): number {
  let bytes = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (isHigh(unit) && isLow(value.charCodeAt(i + 1))) {
      bytes += 2;
      i += 1;
    } else bytes += 2;
  }
  return bytes;
}

function decodeUtf8(bytes: Uint8Array, from: number, length: number): string {
  let text = '';
  for (let at = from; at < from + length;) {
    const head = bytes[at]!;
    const size =
      head < 0x80
        ? 1
        : head >= 0xc2 && head < 0xe0
          ? 2
          : head >= 0xe0 && head < 0xf0
            ? 3
            : head >= 0xf0 && head < 0xf5
              ? 4
              : 0;
    if (size === 0 || at + size > from + length) throw bad('a text that is not UTF-8');
    text += size === 1 ? String.fromCharCode(head) : String.fromCodePoint(wideCode(bytes, at, size));
    at += size;
  }
  return text;
}

const LEAST = [0, 0, 0x80, 0x800, 0x10000];

function wideCode(bytes: Uint8Array, at: number, size: number): number {
  let code = bytes[at]! & (0xff >> (size + 1));
  for (let i = 1; i < size; i++) {
    const byte = bytes[at + i]!;
    if ((byte & 0xc0) !== 0x80) throw bad('a text that is not UTF-8');
    code = (code << 6) | (byte & 0x3f);
  }
  if (code < LEAST[size]! || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    throw bad('a text that is not UTF-8');
  return code;
}

function scalar(character: string): number {
  const code = character.codePointAt(0)!;
  return code >= 0xd800 && code < 0xe000 ? 0xfffd : code;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

function bad(text: string): MkError {
  return new MkError('BAD_MESSAGE', text);
}

import { limit } from '../limits.ts';

/**
 * Walks msgpack bytes without decoding them; returns what is wrong, or null when they are safe to decode.
 *
 * A decoder trusts an array's length and allocates it before it reads an element: five bytes can ask for gigabytes.
 * This pass costs a few nanoseconds per element, allocates nothing, and admits only values that the protocol uses: nil,
 * booleans, numbers, strings, binaries, and arrays short enough to fit the bytes left.
 */
export function scanMsgpack(bytes: Uint8Array): string | null {
  const end = bytes.length;
  let at = 0;
  let depth = 0;
  remaining[0] = 1;
  for (;;) {
    while (remaining[depth] === 0) {
      if (depth === 0) return at === end ? null : `${end - at} bytes after the frame's end`;
      depth -= 1;
    }
    remaining[depth]! -= 1;
    if (at >= end) return 'the frame ends too early';
    const head = bytes[at++]!;
    if (head < 0x80 || head >= 0xe0) continue;
    let children = -1;
    if (head >= 0xa0 && head < 0xc0) at += head & 0x1f;
    else if (head >= 0x90 && head < 0xa0) children = head & 0x0f;
    else {
      const rule = RULES[head];
      if (rule === undefined) return `byte 0x${head.toString(16)} does not belong in a frame`;
      const size = rule >> 2;
      if (rule & LENGTH_PREFIXED) {
        const length = readLength(bytes, at, size);
        if (length < 0) return 'the frame ends too early';
        at += size;
        if (rule & IS_ARRAY) children = length;
        else at += length;
      } else at += size;
    }
    if (at > end) return 'the frame ends too early';
    if (children >= 0) {
      if (children > end - at) return `an array claims ${children} elements in ${end - at} bytes`;
      if (depth + 1 >= MAX_DEPTH) return `nested deeper than ${MAX_DEPTH} levels`;
      depth += 1;
      remaining[depth] = children;
    }
  }
}

const MAX_DEPTH = limit('maxNesting');
const remaining = new Int32Array(MAX_DEPTH + 1);

const LENGTH_PREFIXED = 1;
const IS_ARRAY = 2;
/** By first byte: (size of the rest << 2) | flags. Absent: maps, extensions and the unused 0xc1. */
const RULES: (number | undefined)[] = [];
for (const byte of [0xc0, 0xc2, 0xc3]) RULES[byte] = 0;
for (const [byte, size] of [
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
] as const)
  RULES[byte] = size << 2;
for (const [byte, size] of [
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
] as const)
  RULES[byte] = (size << 2) | LENGTH_PREFIXED;
for (const [byte, size] of [
  [0xdc, 2],
  [0xdd, 4],
] as const)
  RULES[byte] = (size << 2) | LENGTH_PREFIXED | IS_ARRAY;

function readLength(bytes: Uint8Array, at: number, size: number): number {
  if (at + size > bytes.length) return -1;
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + bytes[at + i]!;
  return value;
}

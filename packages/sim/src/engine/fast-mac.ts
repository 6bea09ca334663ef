import type { Hmac } from '@mk/monitor-proto/handshake/proof';

/**
 * A keyed hash in place of HMAC-SHA-256: 32 bytes that depend on every byte of key and data, many times as fast. Nobody
 * attacks a simulation, and half a million handshakes are half of the boot of 1,024 cores. Every call returns the same
 * array. Not for secrets.
 */
export const fastMac: Hmac = (key, data) => {
  STATE.fill(0x6a09e667);
  absorb(key);
  absorb(data);
  for (let i = 0; i < WORDS.length; i++)
    WORDS[i] = finalise(STATE[i & 3]! ^ Math.imul(i + 1, 0x9e3779b1) ^ STATE[(i + 1) & 3]!);
  return BYTES;
};

const BYTES = new Uint8Array(32);
const WORDS = new Uint32Array(BYTES.buffer);

const STATE = new Int32Array(4);

function absorb(bytes: Uint8Array): void {
  const { length } = bytes;
  const whole = length & ~3;
  let a = STATE[0]!; // one by one: destructuring an array uses an iterator, eight times per link
  let b = STATE[1]!;
  let c = STATE[2]!;
  let d = STATE[3]!;
  for (let i = 0; i <= whole; i += 4) {
    // The last word is the remaining 0 to 3 bytes; the length is mixed in below.
    const word =
      i < whole ? bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24) : rest(bytes, whole);
    a = Math.imul(a ^ word, 0xcc9e2d51);
    b = (Math.imul(b, 5) + a) | 0;
    c ^= (b << 13) | (b >>> 19);
    d = (Math.imul(d ^ c, 0x1b873593) + word) | 0;
    a ^= d >>> 15;
  }
  STATE[0] = finalise(a ^ length);
  STATE[1] = finalise(b ^ a);
  STATE[2] = finalise(c ^ b);
  STATE[3] = finalise(d ^ c);
}

function rest(bytes: Uint8Array, from: number): number {
  let word = 0;
  for (let i = bytes.length - 1; i >= from; i--) word = (word << 8) | bytes[i]!;
  return word;
}

function finalise(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

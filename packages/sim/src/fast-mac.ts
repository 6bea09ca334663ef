import type { Hmac } from '@mk/monitor-proto/handshake/proof';

/**
 * A keyed hash in the place of HMAC-SHA-256: 32 bytes that depend on every byte of key and data, four times as fast. Nobody
 * attacks a simulation; half a million handshakes are half of the boot of 1,024 cores. Not for secrets.
 */
export const fastMac: Hmac = (key, data) => {
  STATE.fill(0x6a09e667);
  absorb(key);
  absorb(data);
  const out = new Uint8Array(32);
  const words = new Uint32Array(out.buffer);
  for (let i = 0; i < words.length; i++) words[i] = finalise(STATE[i & 3]! ^ Math.imul(i + 1, 0x9e3779b1) ^ STATE[(i + 1) & 3]!);
  return out;
};

const STATE = new Int32Array(4);

function absorb(bytes: Uint8Array): void {
  let [a, b, c, d] = STATE as unknown as [number, number, number, number];
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ bytes[i]!, 0xcc9e2d51);
    b = (Math.imul(b, 5) + a) | 0;
    c ^= (b << 13) | (b >>> 19);
    d = (Math.imul(d ^ c, 0x1b873593) + bytes[i]!) | 0;
    a ^= d >>> 15;
  }
  STATE[0] = finalise(a ^ bytes.length);
  STATE[1] = finalise(b ^ a);
  STATE[2] = finalise(c ^ b);
  STATE[3] = finalise(d ^ c);
}

function finalise(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

/**
 * The project's one source of pseudo-randomness: xoshiro128** (Blackman and Vigna), seeded by name and splittable.
 *
 * Guarantees: the same seed gives the same sequence on every machine; `split(label)` depends on the seed and the labels
 * alone, never on earlier draws, so that a stream for "link 3 to 7" stays the same when others are added. Not for
 * secrets.
 */
export interface Prng {
  /** A uniform integer in [0, 2^32). */
  nextUint32(): number;
  /** A uniform number in [0, 1), 53 bits of it random. */
  nextFloat(): number;
  /** A uniform integer in [0, bound); the bound is a positive integer of at most 2^32. */
  nextInt(bound: number): number;
  /** A number from the standard normal distribution (mean 0, deviation 1). */
  nextNormal(): number;
  /** Another stream, independent of this one and of every other label's. */
  split(label: string | number): Prng;
}

/** The stream of a seed; a number and its spelling are the same seed. */
export function createPrng(seed: number | string): Prng {
  const words = new Uint32Array([0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x6a09e667]);
  absorb(words, String(seed));
  return new Xoshiro128(words);
}

const TWO_TO_MINUS_32 = 2 ** -32;
const TWO_TO_MINUS_53 = 2 ** -53;

class Xoshiro128 implements Prng {
  private readonly origin: Uint32Array;
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(origin: Uint32Array) {
    this.origin = origin;
    this.a = origin[0]! | 0;
    this.b = origin[1]! | 0;
    this.c = origin[2]! | 0;
    this.d = origin[3]! | 0;
    // xoshiro never leaves the all-zero state.
    if ((this.a | this.b | this.c | this.d) === 0) this.a = 1;
  }

  nextUint32(): number {
    const times5 = Math.imul(this.b, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  nextFloat(): number {
    const high = this.nextUint32() >>> 5;
    return (high * 0x4000000 + (this.nextUint32() >>> 6)) * TWO_TO_MINUS_53;
  }

  nextInt(bound: number): number {
    // One draw scaled: the bias is at most bound / 2^32, far below what any test here can see.
    return Math.floor(this.nextUint32() * TWO_TO_MINUS_32 * bound);
  }

  nextNormal(): number {
    // Box and Muller; the second value is discarded so that the stream has no hidden state.
    const radius = Math.sqrt(-2 * Math.log(1 - this.nextFloat()));
    return radius * Math.cos(2 * Math.PI * this.nextFloat());
  }

  split(label: string | number): Prng {
    const words = this.origin.slice();
    absorb(words, `/${label}`);
    return new Xoshiro128(words);
  }
}

/** Mixes a text into four words so that every character changes all of them (murmur3's rounds and finaliser). */
function absorb(words: Uint32Array, text: string): void {
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    for (let w = 0; w < 4; w++) {
      const mixed = Math.imul(words[w]! ^ (char + w * 0x10001), 0xcc9e2d51 + 2 * w);
      words[w] = (mixed << 15) | (mixed >>> 17);
      words[(w + 1) & 3]! ^= words[w]!;
    }
  }
  for (let round = 0; round < 2; round++) {
    for (let w = 0; w < 4; w++) words[w] = finalise(words[w]! ^ words[(w + 3) & 3]! ^ text.length);
  }
}

function finalise(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/*
 * Bitmaps as hwloc writes them: 32-bit words in hexadecimal, the highest first, `0x00000001,,0x0` (an empty word is 0); a
 * leading `0xf...f` sets every higher bit. hwloc's API, `hwloc_bitmap_snprintf`.
 */

const WORD_BITS = 32;
/** Wider than any machine: 8,192 processing units. */
const MAX_WORDS = 256;
const INFINITE = '0xf...f';

/** A set of OS indexes. */
export class CpuSet {
  private constructor(
    /** Lowest word first. */
    private readonly words: readonly number[],
    private readonly infinite: boolean,
  ) {}

  /** Parses hwloc's notation; null if the text is not in it. */
  static parse(text: string): CpuSet | null {
    const infinite = text.startsWith(INFINITE);
    const rest = infinite ? text.slice(INFINITE.length) : text;
    if (infinite && rest === '') return new CpuSet([], true);
    const parts = (infinite ? rest.slice(1) : rest).split(',');
    if ((infinite && rest[0] !== ',') || parts.length > MAX_WORDS || parts[0] === '') return null;
    if (!parts.every((part) => /^((0x)?[0-9a-f]{1,8})?$/i.test(part))) return null;
    return new CpuSet(parts.map((part) => (part === '' ? 0 : Number.parseInt(part, 16))).reverse(), infinite);
  }

  has(index: number): boolean {
    const word = this.words[Math.floor(index / WORD_BITS)];
    return word === undefined ? this.infinite : ((word >>> (index % WORD_BITS)) & 1) === 1;
  }

  get isEmpty(): boolean {
    return !this.infinite && this.words.every((word) => word === 0);
  }
}

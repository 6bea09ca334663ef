/** Cuts a text of any length into pieces that fit messages, and joins them again. Pure. */

/** Far below a message's bound, even when every character takes three bytes. */
const PIECE_CHARS = 60_000;

export interface Piece {
  readonly text: string;
  readonly more: boolean;
}

/** Cuts a text into at least one piece; no piece ends inside a surrogate pair. */
export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; ;) {
    let end = Math.min(text.length, at + PIECE_CHARS);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
    pieces.push({ text: text.slice(at, end), more: end < text.length });
    if (end === text.length) return pieces;
    at = end;
  }
}

/** Joins pieces by key; throws when a text grows past the bound. */
export class Assembler {
  private readonly held = new Map<string, string>();

  constructor(private readonly maxChars: number) {}

  /** Adds a piece. Returns the whole text with its last piece; undefined before that. */
  add(key: string, { text, more }: Piece): string | undefined {
    const whole = (this.held.get(key) ?? '') + text;
    this.held.delete(key);
    if (whole.length > this.maxChars) throw new RangeError(`a text may have ${this.maxChars} characters`);
    if (!more) return whole;
    this.held.set(key, whole);
    return undefined;
  }

  /** Forgets a text whose rest will not come. */
  forget(key: string): void {
    this.held.delete(key);
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

import { known } from '../assert.ts';

const encoder = new TextEncoder();
let space = new Uint8Array(1024);

/**
 * Assembles text and bytes in a buffer shared by all writers: only one is in use at a time, and its result is valid
 * until the next begins. A handshake makes and checks six proofs, and a thousand cores have half a million handshakes.
 */
export class Writer {
  private at = 0;

  /** Reserves room for so many bytes. */
  constructor(most: number) {
    if (most > space.length) space = new Uint8Array(most);
  }

  /** Writes ASCII text. */
  ascii(text: string): this {
    for (let i = 0; i < text.length; i++) space[this.at++] = text.charCodeAt(i);
    return this;
  }

  /** Writes a string as JSON, quotes included. */
  json(text: string): this {
    const from = this.at;
    space[this.at++] = QUOTE;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < 0x20 || code >= 0x7f || code === QUOTE || code === BACKSLASH) return this.jsonOf(text, from);
      space[this.at++] = code;
    }
    space[this.at++] = QUOTE;
    return this;
  }

  bytes(bytes: Uint8Array): this {
    for (let i = 0; i < bytes.length; i++) space[this.at++] = known(bytes[i]);
    return this;
  }

  /** Everything written; valid until the next writer begins. */
  whole(): Uint8Array {
    return space.subarray(0, this.at);
  }

  /** The slow path, for characters that need escapes or several bytes. */
  private jsonOf(text: string, from: number): this {
    this.at = from + encoder.encodeInto(JSON.stringify(text), space.subarray(from)).written;
    return this;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import type { ProgramText } from '../../cpu-driver/dispatchers/dispatcher.ts';
import { OperationError } from '../operations.ts';
import { programLimit } from './limits.ts';

/** The key of texts' digests, which identify texts and keep no secret. */
const KEY = new Uint8Array([0x6d, 0x6b]);

/** The program texts that this core knows: by their local name, and by the digest that others ask for. */
export class ProgramStore {
  private readonly byName = new Map<string, ProgramText>();
  /** In order of last use. */
  private readonly byDigest = new Map<string, ProgramText>();
  /** Texts arriving in pieces over the control port. */
  private readonly arriving = new Map<string, { readonly bytes: Uint8Array; got: number }>();

  constructor(private readonly hmac: Hmac) {}

  /** The program of a name; throws NO_SUCH_PROGRAM. */
  named(name: string): ProgramText {
    const program = this.byName.get(name);
    if (program === undefined) {
      const known = [...this.byName.keys()].sort().join(', ') || 'none';
      throw new OperationError('NO_SUCH_PROGRAM', `no program ${name.slice(0, 80)}; this core knows ${known}`);
    }
    return program;
  }

  get names(): readonly string[] {
    return [...this.byName.keys()];
  }

  /** The text with a digest; the look-up counts as a use. */
  find(digest: string): ProgramText | undefined {
    const program = this.byDigest.get(digest);
    if (program === undefined) return undefined;
    this.byDigest.delete(digest);
    this.byDigest.set(digest, program);
    return program;
  }

  /** Adds a program, which can be spawned by its name from now on. */
  add(name: string, bytes: Uint8Array): ProgramText {
    const program = this.keep(name, bytes);
    this.byName.set(name, program);
    return program;
  }

  /** Keeps a text for another core’s domain that runs here. */
  keep(name: string, bytes: Uint8Array): ProgramText {
    if (bytes.length > programLimit('programBytes'))
      throw new OperationError('BAD_REQUEST', `a program has at most ${programLimit('programBytes')} bytes`);
    const digest = hex(this.hmac(KEY, bytes));
    const program = { name, bytes, digest };
    this.byDigest.delete(digest);
    this.byDigest.set(digest, program);
    if (this.byDigest.size > programLimit('programsKept')) this.forgetOldest();
    return program;
  }

  /** Adds a piece of a text from the control port, in order; returns the program with the last one. */
  addPiece(name: string, at: number, total: number, piece: Uint8Array): ProgramText | null {
    if (total > programLimit('programBytes') || at + piece.length > total)
      throw new OperationError('BAD_REQUEST', `a program has at most ${programLimit('programBytes')} bytes`);
    if (at === 0) {
      if (this.arriving.size >= programLimit('programsKept')) this.arriving.clear();
      this.arriving.set(name, { bytes: new Uint8Array(total), got: 0 });
    }
    const text = this.arriving.get(name);
    if (text === undefined || text.got !== at || text.bytes.length !== total)
      throw new OperationError('BAD_REQUEST', 'the pieces of a program come in order, from 0');
    text.bytes.set(piece, at);
    text.got += piece.length;
    if (text.got < total) return null;
    this.arriving.delete(name);
    return this.add(name, text.bytes);
  }

  private forgetOldest(): void {
    for (const [digest, program] of this.byDigest) {
      this.byDigest.delete(digest);
      if (this.byName.get(program.name) === program) this.byName.delete(program.name);
      return;
    }
  }
}

function hex(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

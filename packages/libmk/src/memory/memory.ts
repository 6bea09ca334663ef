/**
 * Loads and stores of a program, by virtual address.
 *
 * An access that can be made at once returns a value; one that must wait for a page (not mapped yet, on another core,
 * being unmapped) returns a promise. So programs `await` an access, or take a `view` and loop over it. Accesses are in
 * order and block; across coherent pages they are sequentially consistent.
 */
import { MkError } from '../runtime/mk-error.ts';
import { type AccessKind, PAGE_BYTES } from '../dispatcher/frame-view.ts';
import { Tlb, type TlbEntry, type Translation } from './tlb.ts';

export type MaybePromise<T> = T | Promise<T>;

/** The CPU driver's service to an address space. */
export interface MemoryPort {
  /**
   * Makes an access possible: resolves with a translation whose page was in the needed state when the driver answered.
   * Rejects with PAGE_FAULT, PAGE_LOST, HOME_LOST, … when that is impossible.
   */
  fault(virtualAddress: number, kind: AccessKind): Promise<Translation>;
}

/** Faults of one access before it gives up: another core may take the page away before each retry. */
const MOST_RETRIES = 1000;

/** An access that the address does not allow. */
export class MemoryError extends MkError {
  constructor(
    readonly error: string,
    text: string,
  ) {
    super(error, text);
  }
}

type Done<T> = (entry: TlbEntry, offset: number) => T;

export class Memory {
  readonly tlb = new Tlb();
  private readonly pinned: TlbEntry[] = [];

  constructor(private readonly port: MemoryPort) {}

  load8(address: number): MaybePromise<number> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forRead(page);
    if (entry === null) return this.slow(address, 1, 'read', ({ view }, at) => view.getUint8(at));
    return entry.view.getUint8(address - page * PAGE_BYTES);
  }

  /** 2 bytes, little-endian, unsigned. The address is a multiple of 2. */
  load16(address: number): MaybePromise<number> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forRead(page);
    const read: Done<number> = ({ view }, at) => view.getUint16(at, true);
    if (entry === null || address % 2 !== 0) return this.slow(address, 2, 'read', read);
    return entry.view.getUint16(address - page * PAGE_BYTES, true);
  }

  /** 4 bytes, little-endian, unsigned. The address is a multiple of 4. */
  load32(address: number): MaybePromise<number> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forRead(page);
    const read: Done<number> = ({ view }, at) => view.getUint32(at, true);
    if (entry === null || address % 4 !== 0) return this.slow(address, 4, 'read', read);
    return entry.view.getUint32(address - page * PAGE_BYTES, true);
  }

  /** 8 bytes as a double. The address is a multiple of 8. */
  loadFloat64(address: number): MaybePromise<number> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forRead(page);
    const read: Done<number> = ({ view }, at) => view.getFloat64(at, true);
    if (entry === null || address % 8 !== 0) return this.slow(address, 8, 'read', read);
    return entry.view.getFloat64(address - page * PAGE_BYTES, true);
  }

  /** 8 bytes, little-endian, unsigned. The address is a multiple of 8. */
  load64(address: number): MaybePromise<bigint> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forRead(page);
    const read: Done<bigint> = ({ view }, at) => view.getBigUint64(at, true);
    if (entry === null || address % 8 !== 0) return this.slow(address, 8, 'read', read);
    return entry.view.getBigUint64(address - page * PAGE_BYTES, true);
  }

  store8(address: number, value: number): MaybePromise<void> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forWrite(page);
    if (entry !== null) {
      entry.view.setUint8(address - page * PAGE_BYTES, value);
      if (this.tlb.counts(entry)) return undefined;
    }
    return this.store(address, 1, ({ view }, at) => view.setUint8(at, value));
  }

  store16(address: number, value: number): MaybePromise<void> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forWrite(page);
    if (entry !== null && address % 2 === 0) {
      entry.view.setUint16(address - page * PAGE_BYTES, value, true);
      if (this.tlb.counts(entry)) return undefined;
    }
    return this.store(address, 2, ({ view }, at) => view.setUint16(at, value, true));
  }

  store32(address: number, value: number): MaybePromise<void> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forWrite(page);
    if (entry !== null && address % 4 === 0) {
      entry.view.setUint32(address - page * PAGE_BYTES, value, true);
      if (this.tlb.counts(entry)) return undefined;
    }
    return this.store(address, 4, ({ view }, at) => view.setUint32(at, value, true));
  }

  storeFloat64(address: number, value: number): MaybePromise<void> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forWrite(page);
    if (entry !== null && address % 8 === 0) {
      entry.view.setFloat64(address - page * PAGE_BYTES, value, true);
      if (this.tlb.counts(entry)) return undefined;
    }
    return this.store(address, 8, ({ view }, at) => view.setFloat64(at, value, true));
  }

  store64(address: number, value: bigint): MaybePromise<void> {
    const page = Math.floor(address / PAGE_BYTES);
    const entry = this.tlb.forWrite(page);
    if (entry !== null && address % 8 === 0) {
      entry.view.setBigUint64(address - page * PAGE_BYTES, value, true);
      if (this.tlb.counts(entry)) return undefined;
    }
    return this.store(address, 8, ({ view }, at) => view.setBigUint64(at, value, true));
  }

  /** Copies bytes out of memory, page by page: each page is consistent, the whole is not. */
  async read(address: number, length: number): Promise<Uint8Array> {
    checkRange(address, length);
    const bytes = new Uint8Array(length);
    for (const { at, page, offset, count } of pieces(address, length)) {
      const entry = this.tlb.forRead(page) ?? (await this.faulted(address + at, 'read'));
      bytes.set(entry.bytes.subarray(offset, offset + count), at);
    }
    return bytes;
  }

  /** Copies bytes into memory, page by page. */
  async write(address: number, bytes: Uint8Array): Promise<void> {
    checkRange(address, bytes.length);
    for (const { at, page, offset, count } of pieces(address, bytes.length)) {
      for (let tries = 0; ; tries += 1) {
        const entry = this.tlb.forWrite(page) ?? (await this.faulted(address + at, 'write'));
        entry.bytes.set(bytes.subarray(at, at + count), offset);
        if (this.tlb.counts(entry)) break;
        giveUpAfter(tries, address + at);
      }
    }
  }

  /** Copies bytes within memory, page by page; the two ranges may overlap. */
  async copy(to: number, from: number, length: number): Promise<void> {
    checkRange(from, length);
    checkRange(to, length);
    const forwards = [...pieces(from, length)];
    // A piece must be read before another one overwrites it.
    const order = from < to && to < from + length ? forwards.reverse() : forwards;
    for (const { at, count } of order) await this.write(to + at, await this.read(from + at, count));
  }

  /**
   * The bytes from an address to the end of its page, at most `length`: raw, as fast as any typed array. They are the
   * page until the program next waits for anything; later writes go to a copy that nobody reads.
   */
  async view(address: number, length: number, kind: AccessKind): Promise<Uint8Array> {
    checkRange(address, length);
    const page = Math.floor(address / PAGE_BYTES);
    const offset = address - page * PAGE_BYTES;
    for (let tries = 0; ; tries += 1) {
      const known = kind === 'read' ? this.tlb.forRead(page) : this.tlb.forWrite(page);
      const entry = known ?? (await this.faulted(address, kind));
      if (this.tlb.pin(entry, kind)) {
        this.pinned.push({ ...entry });
        return entry.bytes.subarray(offset, Math.min(offset + length, PAGE_BYTES));
      }
      giveUpAfter(tries, address);
    }
  }

  /** The turn is over: views end. The runtime calls it. */
  release(): void {
    for (const { words, pinWord } of this.pinned.splice(0)) Atomics.sub(words, pinWord, 1);
  }

  private async slow<T>(address: number, bytes: number, kind: AccessKind, access: Done<T>): Promise<T> {
    checkAligned(address, bytes);
    const page = Math.floor(address / PAGE_BYTES);
    const entry = await this.faulted(address, kind);
    return access(entry, address - page * PAGE_BYTES);
  }

  private async store(
    address: number,
    bytes: number,
    access: (entry: TlbEntry, offset: number) => void,
  ): Promise<void> {
    checkAligned(address, bytes);
    const page = Math.floor(address / PAGE_BYTES);
    for (let tries = 0; ; tries += 1) {
      const entry = this.tlb.forWrite(page) ?? (await this.faulted(address, 'write'));
      access(entry, address - page * PAGE_BYTES);
      if (this.tlb.counts(entry)) return;
      giveUpAfter(tries, address);
    }
  }

  /** An entry whose page is in the needed state now; faults until there is one. */
  private async faulted(address: number, kind: AccessKind): Promise<TlbEntry> {
    const page = Math.floor(address / PAGE_BYTES);
    for (let tries = 0; ; tries += 1) {
      this.tlb.noteFault(page);
      this.tlb.fill(page, await this.port.fault(address, kind));
      const entry = kind === 'read' ? this.tlb.forRead(page) : this.tlb.forWrite(page);
      if (entry !== null) return entry;
      giveUpAfter(tries, address);
    }
  }
}

function giveUpAfter(tries: number, address: number): void {
  if (tries < MOST_RETRIES) return;
  throw new MemoryError('PAGE_CONTENDED', `the page of 0x${address.toString(16)} was taken away ${MOST_RETRIES} times`);
}

function checkAligned(address: number, bytes: number): void {
  if (!Number.isSafeInteger(address) || address < 0 || address % bytes !== 0)
    throw new MemoryError('MISALIGNED', `${address} is not a multiple of ${bytes}`);
}

function checkRange(address: number, length: number): void {
  if (!Number.isSafeInteger(address) || address < 0 || !Number.isSafeInteger(length) || length < 0)
    throw new MemoryError('PAGE_FAULT', `no range of memory: ${address}, ${length} bytes`);
}

interface Piece {
  readonly at: number;
  readonly page: number;
  readonly offset: number;
  readonly count: number;
}

function* pieces(address: number, length: number): Generator<Piece> {
  for (let at = 0; at < length;) {
    const page = Math.floor((address + at) / PAGE_BYTES);
    const offset = address + at - page * PAGE_BYTES;
    const count = Math.min(PAGE_BYTES - offset, length - at);
    yield { at, page, offset, count };
    at += count;
  }
}

/**
 * `mk.memory`: the address space of this program, made of capabilities. The tables belong to the domain and live on the
 * core where it began; each of its dispatchers loads and stores through its own software TLB.
 *
 * The library does the mapping: it decides which addresses are taken, how a fault is answered (demand paging, guard
 * pages) and which copies stay coherent; the kernel checks every single mapping.
 */
import { known } from '@mk/monitor-proto/assert';
import { type AllocateOptions, type Capabilities, RIGHTS } from '../capabilities/capabilities.ts';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import { isMkError, MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type AccessKind, PAGE_BYTES } from '../dispatcher/frame-view.ts';
import { Memory, type MemoryPort } from './memory.ts';
import { LARGE_PAGE_BYTES, type MappedRun, type PageBytes, PageTables } from './page-tables.ts';
import type { Translation } from './tlb.ts';

/** `coherent`: every core reads the last write. `private`: this dispatcher's own copy, as of its first touch. */
export type MemoryKind = 'coherent' | 'private';

export interface MapOptions {
  /** The address; a free place by default. */
  readonly at?: number;
  /** Bytes from the frame's start. */
  readonly offset?: number;
  /** How many bytes; the rest of the frame by default. */
  readonly bytes?: number;
  /** Bit sum of RIGHTS.read, write, execute; read and write by default. */
  readonly rights?: number;
  readonly pageBytes?: PageBytes;
  readonly kind?: MemoryKind;
  /** Handles accesses without the right for them; by default they fail with PAGE_FAULT. */
  readonly onFault?: FaultHandler;
}

/**
 * An access that the page tables do not allow: nothing is mapped there, or not with this right. True: it is allowed
 * now, and is retried. Runs on the core where the domain began, for accesses on every core; one at a time per page.
 */
export type FaultHandler = (fault: {
  readonly address: number;
  readonly access: AccessKind;
}) => Promise<boolean> | boolean;

/** A range of this address space. */
export interface Region {
  readonly address: number;
  readonly bytes: number;
}

interface Mapped extends Region {
  readonly runs: MappedRun[];
  /** Frames that the library made for demand paging. */
  readonly frames: number[];
  /** Null: a fault here ends the access, as on a guard page. */
  readonly onFault: FaultHandler | null;
  readonly name: string;
}

/** Where an address leads. */
export interface Lookup {
  readonly address: number;
  readonly rights: number;
  readonly pageBytes: number;
}

const RESERVED = 'a reserved range';
/** How often a handler may wrongly say that an access is allowed now. */
const MOST_HANDLED = 16;
/** Addresses are assigned from here on: what a wrong pointer hits first is not mapped. */
const FIRST_ADDRESS = 2 ** 32;

export class AddressSpace extends Memory {
  private readonly tables: PageTables;
  private readonly regions = new Map<number, Mapped>();
  private readonly privates: Region[] = [];
  private readonly handling = new Map<number, Promise<boolean>>();
  private nextAddress = FIRST_ADDRESS;

  constructor(
    private readonly runtime: Runtime,
    private readonly capabilities: Capabilities,
    /** Performs a request where the domain began; null: that is here. */
    private readonly atHome: ((request: PlainValue) => Promise<PlainValue>) | null,
  ) {
    super(new FaultPort((address, kind) => this.resolve(address, kind)));
    this.tables = new PageTables(runtime, capabilities);
    runtime.beforeTurnEnds(() => this.release());
  }

  /**
   * A frame of zeroed memory, by its capability's address: of this core, or near another.
   *
   * @example
   * const frame = await mk.memory.allocFrame(64 << 10);
   */
  async allocFrame(bytes: number, options: AllocateOptions = {}): Promise<number> {
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    const ram = await this.capabilities.alloc(size, options);
    const [frame] = await this.capabilities.retype(ram, 'Frame', { bytes: size });
    await this.capabilities.delete(ram);
    return known(frame);
  }

  /**
   * Maps a frame, or a part of it. Where the domain began; other dispatchers of the domain use the address.
   *
   * @example
   * const { address } = await mk.memory.map(frame, { rights: RIGHTS.read });
   */
  async map(frame: number, options: MapOptions = {}): Promise<Region> {
    if (this.atHome !== null)
      throw new MkError('NOT_AT_HOME', 'frames are mapped by the dispatcher with which the domain began');
    const { offset = 0, rights = RIGHTS.read | RIGHTS.write, pageBytes = PAGE_BYTES, kind = 'coherent' } = options;
    const bytes = options.bytes ?? (await this.capabilities.identify(frame)).bytes - offset;
    const address = options.at ?? this.place(bytes, pageBytes);
    checkPlace({ address, bytes }, pageBytes);
    const within = options.at === undefined ? null : this.reservedAround(address, bytes);
    if (options.at !== undefined && within === null) this.checkFree(address, bytes);
    const runs = await this.tables.enter(frame, { address, offset, bytes, rights, pageBytes });
    if (within !== null) {
      within.runs.push(...runs);
      return { address, bytes };
    }
    const region = { address, bytes, runs, frames: [], onFault: options.onFault ?? null, name: 'a mapping' };
    this.regions.set(address, region);
    this.setKind(region, kind);
    return { address, bytes };
  }

  /**
   * A range without memory. The first access to a page maps a fresh page there (demand paging), or does what `onFault`
   * says, which may `map` frames `at` addresses within the range. `guard`: the access fails with PAGE_FAULT, as behind the end of a stack.
   */
  reserve(
    bytes: number,
    options: { readonly at?: number; readonly guard?: boolean; readonly onFault?: FaultHandler } = {},
  ): Region {
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    const address = options.at ?? this.place(size, PAGE_BYTES);
    checkPlace({ address, bytes: size }, PAGE_BYTES);
    if (options.at !== undefined) this.checkFree(address, size);
    const guard = options.guard === true;
    const onFault = guard ? null : (options.onFault ?? ((fault) => this.mapFreshPage(fault.address)));
    const name = guard ? 'a guard page' : RESERVED;
    this.regions.set(address, { address, bytes: size, runs: [], frames: [], onFault, name });
    return { address, bytes: size };
  }

  /** Changes the rights of a region or a part of it; when it resolves no core uses the old ones. */
  async protect(region: Region, rights: number, part: Partial<Region> = {}): Promise<void> {
    const { address = region.address, bytes = region.bytes } = part;
    if (this.atHome !== null)
      return void (await this.atHome({ what: 'protect', at: region.address, address, bytes, rights }));
    for (const run of this.of(region).runs) {
      const from = Math.max(address, run.address);
      const to = Math.min(address + bytes, run.address + run.bytes);
      if (from >= to) continue;
      const entry = Math.floor((from - run.address) / run.pageBytes);
      const count = Math.ceil((to - run.address) / run.pageBytes) - entry;
      await this.capabilities.protect(run.mapping, { entry, count, rights });
    }
  }

  /** Removes a region; when it resolves no core can read or write there. */
  async unmap(region: Region): Promise<void> {
    if (this.atHome !== null)
      return void (await this.atHome({ what: 'unmap', at: region.address, bytes: region.bytes }));
    if (!this.regions.has(region.address)) return this.unmapWithin(region);
    const { address, bytes, runs, frames } = this.of(region);
    this.regions.delete(address);
    for (const { mapping } of runs) await this.capabilities.unmap(mapping);
    for (const frame of frames) await this.capabilities.delete(frame);
    this.tlb.flush(address / PAGE_BYTES, bytes / PAGE_BYTES);
  }

  /** Where an address leads; null where nothing is mapped. */
  async lookup(address: number): Promise<Lookup | null> {
    const found = await this.runtime.calls.ask('vspace_lookup', [address]);
    return found && { address: found.address, rights: found.rights, pageBytes: found.page_bytes };
  }

  /** How this dispatcher sees a range from now on; other dispatchers decide for themselves. */
  setKind({ address, bytes }: Region, kind: MemoryKind): void {
    const at = this.privates.findIndex((one) => one.address === address);
    if (at >= 0) this.privates.splice(at, 1);
    if (kind === 'private') this.privates.push({ address, bytes });
    this.tlb.flush(address / PAGE_BYTES, Math.ceil(bytes / PAGE_BYTES));
  }

  /** For a private range: the next access sees the memory as it is then. What was written and not published is lost. */
  refresh({ address, bytes }: Region): void {
    const first = Math.floor(address / PAGE_BYTES);
    this.tlb.flush(first, Math.ceil((address + bytes) / PAGE_BYTES) - first);
  }

  /** For a private range: writes what this dispatcher sees there into the memory itself. */
  async publish({ address, bytes }: Region): Promise<void> {
    for (let at = address; at < address + bytes;) {
      const count = Math.min(PAGE_BYTES - (at % PAGE_BYTES), address + bytes - at);
      await this.runtime.calls.ask('memory_put', [at, await this.read(at, count)]);
      at += count;
    }
  }

  /**
   * Adds to 8 bytes at their home, atomically for every core; resolves with the previous value. The sum is cut to 64
   * bits.
   */
  fetchAdd(address: number, value: bigint): Promise<bigint> {
    return this.atomic(address, 'add', value);
  }

  /** Replaces a value; resolves with the previous one. */
  swap(address: number, value: bigint): Promise<bigint> {
    return this.atomic(address, 'swap', value);
  }

  /** Replaces a value if it is `expected`; the resolved previous value shows whether it was. */
  compareAndSwap(address: number, expected: bigint, value: bigint): Promise<bigint> {
    return this.atomic(address, 'compare_and_swap', value, expected);
  }

  /** A request of another dispatcher of this domain. */
  async serve(request: PlainValue): Promise<PlainValue> {
    const { what, at, address, bytes, rights, access } = request as Readonly<Record<string, number>> & {
      readonly what: string;
      readonly access: AccessKind;
    };
    if (what === 'fault') return this.handled(known(address), access);
    const start = known(at);
    if (what === 'unmap') {
      await this.unmap({ address: start, bytes: bytes ?? PAGE_BYTES });
      return null;
    }
    const region = this.regions.get(start);
    if (region === undefined) throw new MkError('PAGE_FAULT', `nothing was mapped at 0x${start.toString(16)}`);
    await this.protect(region, known(rights), { address: known(address), bytes: known(bytes) });
    return null;
  }

  private async atomic(address: number, operation: string, operand: bigint, expected = 0n): Promise<bigint> {
    const request = { operation, operand: wordText(operand), expected: wordText(expected) };
    return BigInt(await this.runtime.calls.ask('memory_atomic', [address, request]));
  }

  /** A page on which this access is possible, whatever that takes. */
  private async resolve(address: number, kind: AccessKind): Promise<Translation> {
    const how = this.privates.some((one) => holds(one, address)) ? 'snapshot' : kind;
    for (let handled = 0; ;) {
      try {
        const { frame, rights } = await this.runtime.calls.ask('page_fault', [address, how]);
        const view = this.runtime.border.takeFrame(frame);
        if (view === null) continue; // so many came at once that this one was dropped
        return { frame: view, page: 0, rights };
      } catch (error) {
        // Before the first mapping there is no address space: a fault like any other.
        const isFault = isMkError(error, 'PAGE_FAULT') || isMkError(error, 'NO_ADDRESS_SPACE');
        if (!isFault || !(await this.askHandler(address, kind))) throw this.named(error, address);
        if ((handled += 1) >= MOST_HANDLED)
          throw new MkError('PAGE_FAULT', `${error.text} (its handler said ${MOST_HANDLED} times that it is)`);
      }
    }
  }

  private async askHandler(address: number, access: AccessKind): Promise<boolean> {
    if (this.atHome === null) return this.handled(address, access);
    return (await this.atHome({ what: 'fault', address, access })) === true;
  }

  /** One handler at a time per page: others that fault meanwhile wait for it. */
  private handled(address: number, access: AccessKind): Promise<boolean> {
    const page = Math.floor(address / PAGE_BYTES);
    const underWay = this.handling.get(page);
    if (underWay !== undefined) return underWay.then(() => true);
    const region = [...this.regions.values()].find((one) => holds(one, address));
    if (!region?.onFault) return Promise.resolve(false);
    const handling = Promise.resolve(region.onFault({ address, access })).finally(() => this.handling.delete(page));
    this.handling.set(page, handling);
    return handling;
  }

  private async mapFreshPage(address: number): Promise<boolean> {
    const region = known(
      [...this.regions.values()].find((one) => holds(one, address)),
      'the region of a fault',
    );
    if (region.runs.some((run) => holds(run, address))) return false; // a right is missing
    const page = address - (address % PAGE_BYTES);
    const frame = await this.allocFrame(PAGE_BYTES);
    const rights = RIGHTS.read | RIGHTS.write;
    const runs = await this.tables.enter(frame, {
      address: page,
      offset: 0,
      bytes: PAGE_BYTES,
      rights,
      pageBytes: PAGE_BYTES,
    });
    region.runs.push(...runs);
    region.frames.push(frame);
    return true;
  }

  private named(error: unknown, address: number): unknown {
    if (!isMkError(error, 'PAGE_FAULT')) return error;
    const region = [...this.regions.values()].find((one) => holds(one, address));
    return region?.name === 'a guard page' ? new MkError('PAGE_FAULT', `${error.text} (a guard page)`) : error;
  }

  /** The range reserved for a handler that contains these addresses, if any. */
  private reservedAround(address: number, bytes: number): Mapped | null {
    const region = [...this.regions.values()].find((one) => holds(one, address) && holds(one, address + bytes - 1));
    return region?.onFault && region.name === RESERVED ? region : null;
  }

  /** Removes what a handler mapped within a reserved range: the next access faults again. */
  private async unmapWithin({ address, bytes }: Region): Promise<void> {
    const around = this.reservedAround(address, bytes);
    const within =
      around?.runs.filter((run) => run.address >= address && run.address + run.bytes <= address + bytes) ?? [];
    if (around === null || within.length === 0)
      throw new MkError('PAGE_FAULT', `nothing was mapped at 0x${address.toString(16)}`);
    for (const run of within) {
      around.runs.splice(around.runs.indexOf(run), 1);
      await this.capabilities.unmap(run.mapping);
    }
    this.tlb.flush(address / PAGE_BYTES, bytes / PAGE_BYTES);
  }

  private of({ address }: Region): Mapped {
    const region = this.regions.get(address);
    if (region === undefined) throw new MkError('PAGE_FAULT', `nothing was mapped at 0x${address.toString(16)}`);
    return region;
  }

  private place(bytes: number, alignment: number): number {
    const address = Math.ceil(this.nextAddress / alignment) * alignment;
    // A page between regions: overrunning one hits none.
    this.nextAddress = address + Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES + PAGE_BYTES;
    return address;
  }

  private checkFree(address: number, bytes: number): void {
    for (const one of this.regions.values())
      if (one.address < address + bytes && address < one.address + one.bytes)
        throw new MkError('ENTRY_IN_USE', `0x${one.address.toString(16)} is taken by ${one.name}; unmap it first`);
  }
}

/** Allows the memory to be made before the space that answers its faults. */
class FaultPort implements MemoryPort {
  constructor(readonly fault: MemoryPort['fault']) {}
}

function checkPlace({ address, bytes }: Region, pageBytes: number): void {
  const fits = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value % pageBytes === 0;
  if (!fits(address) || !fits(bytes) || bytes === 0 || address + bytes > 2 ** 48)
    throw new MkError('MISALIGNED', `a mapping begins and ends at multiples of ${pageBytes}, below 2^48`);
}

function holds({ address: first, bytes }: Region, address: number): boolean {
  return address >= first && address < first + bytes;
}

function wordText(word: bigint): string {
  return String(BigInt.asUintN(64, word));
}

export { LARGE_PAGE_BYTES };

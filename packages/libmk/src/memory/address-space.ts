/**
 * `mk.memory`: the address space of this program, made of capabilities. The tables belong to the domain and live on the
 * core where it began; each of its dispatchers loads and stores through its own software TLB.
 *
 * The library does the mapping: it decides which addresses are taken, how a fault is answered (demand paging, guard
 * pages) and which copies stay coherent; the kernel checks every single mapping.
 */
import { known } from '@mk/monitor-proto/assert';
import { type AllocateOptions, type Capabilities } from '../capabilities/capabilities.ts';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import { isMkError, MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ACCESS, type AccessKind, PAGE_BYTES } from '../dispatcher/frame-view.ts';
import { Memory, type MemoryPort } from './memory.ts';
import { checkKind, checkOptions, checkRights, type MapOptions, type MemoryKind, READ_WRITE } from './map-options.ts';
import { type MappedRun, PageTables, type PlaceInFrame } from './page-tables.ts';
import {
  checkPart,
  checkPlace,
  comes,
  type FaultHandler,
  holds,
  leaves,
  type Mapped,
  type Region,
  Regions,
  rightsAt,
  setRights,
  takeRun,
} from './regions.ts';
import type { Translation } from './tlb.ts';

/** Where an address leads. */
export interface Lookup {
  readonly address: number;
  readonly rights: number;
  readonly pageBytes: number;
}

/** How often a handler may wrongly say that an access is allowed now. */
const MOST_HANDLED = 16;
export class AddressSpace extends Memory {
  private readonly tables: PageTables;
  private readonly regions = new Regions();
  private readonly privates: Region[] = [];
  private readonly handling = new Map<number, Promise<boolean>>();

  constructor(
    private readonly runtime: Runtime,
    private readonly capabilities: Capabilities,
    /** Performs a request on the core where the domain began; null: this is that core. */
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
   * Maps a frame, or a part of it. Call it where the domain began; its other dispatchers can use the address.
   *
   * @example
   * const { address } = await mk.memory.map(frame, { rights: RIGHTS.read });
   */
  async map(frame: number, options: MapOptions = {}): Promise<Region> {
    this.checkAtHome();
    const { offset = 0, rights = READ_WRITE, pageBytes = PAGE_BYTES, kind = 'coherent' } = options;
    checkOptions({ offset, rights, pageBytes, kind });
    const bytes = options.bytes ?? (await this.bytesFrom(frame, offset));
    const address = options.at ?? this.regions.place(bytes, pageBytes);
    checkPlace({ address, bytes }, pageBytes);
    const within = options.at === undefined ? null : this.regions.reservedAround({ address, bytes });
    const place = { address, offset, bytes, rights, pageBytes };
    if (within !== null) {
      await this.enter(within, frame, place);
      return { address, bytes };
    }
    this.regions.checkFree({ address, bytes });
    const region = this.regions.add({ address, bytes, pageBytes, onFault: options.onFault ?? null, name: 'a mapping' });
    try {
      await this.enter(region, frame, place);
    } catch (error) {
      this.regions.delete(region);
      throw error;
    }
    this.setKind(region, kind);
    return { address, bytes };
  }

  /**
   * Reserves a range without memory. The first access to a page maps a fresh page there (demand paging), or calls
   * `onFault`, which may `map` frames `at` addresses within the range. `guard`: the access fails with PAGE_FAULT, as
   * beyond the end of a stack.
   */
  reserve(
    bytes: number,
    options: { readonly at?: number; readonly guard?: boolean; readonly onFault?: FaultHandler } = {},
  ): Region {
    this.checkAtHome();
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    const address = options.at ?? this.regions.place(size, PAGE_BYTES);
    checkPlace({ address, bytes: size }, PAGE_BYTES);
    this.regions.checkFree({ address, bytes: size });
    const guard = options.guard === true;
    const onFault = guard ? null : (options.onFault ?? ((fault) => this.freshPage(region, fault)));
    const name = guard ? 'a guard page' : 'a reserved range';
    const region = this.regions.add({ address, bytes: size, pageBytes: PAGE_BYTES, onFault, name });
    return { address, bytes: size };
  }

  /**
   * Changes the rights of a region or of whole pages of it; when it resolves no core uses the old ones. In a range with
   * demand paging, pages that come later get the new ones.
   */
  async protect(region: Region, rights: number, part: Partial<Region> = {}): Promise<void> {
    const { address = region.address, bytes = region.bytes } = part;
    if (this.atHome !== null)
      return void (await this.atHome({ what: 'protect', at: region.address, address, bytes, rights }));
    checkRights(rights);
    const whole = this.regions.of(region);
    checkPart({ address, bytes }, whole);
    if (whole.name === 'a reserved range') setRights(whole, { address, bytes, rights });
    await Promise.allSettled(whole.coming); // they were begun with the old ones
    for (const run of [...whole.runs]) {
      if (!whole.runs.includes(run)) continue; // unmapped meanwhile
      const from = Math.max(address, run.address);
      const to = Math.min(address + bytes, run.address + run.bytes);
      if (from >= to) continue;
      const entry = Math.floor((from - run.address) / run.pageBytes);
      const count = Math.ceil((to - run.address) / run.pageBytes) - entry;
      await this.capabilities.protect(run.mapping, { entry, count, rights });
    }
    await Promise.allSettled(whole.leaving);
  }

  /**
   * Removes a region, or pages of a reserved range, which come again when they are accessed; when it resolves no core can
   * read or write there.
   */
  async unmap(region: Region): Promise<void> {
    if (this.atHome !== null)
      return void (await this.atHome({ what: 'unmap', at: region.address, bytes: region.bytes }));
    const around = this.regions.reservedAround(region);
    if (around !== null && region.bytes < around.bytes) return this.unmapWithin(around, region);
    const whole = this.regions.of(region);
    const { address, bytes, runs, frames, coming } = whole;
    this.regions.delete(whole);
    await Promise.allSettled(coming);
    const made = [...frames.values()];
    for (const run of [...runs]) await this.leave(whole, run);
    await Promise.allSettled(whole.leaving); // another unmap's
    for (const frame of made) await unlessGone(this.capabilities.delete(frame));
    this.tlb.flush(address / PAGE_BYTES, bytes / PAGE_BYTES);
  }

  /** Where an address leads; null where nothing is mapped. */
  async lookup(address: number): Promise<Lookup | null> {
    if (!Number.isSafeInteger(address) || address < 0) return null;
    try {
      const found = await this.runtime.calls.ask('vspace_lookup', [address]);
      return found && { address: found.address, rights: found.rights, pageBytes: found.page_bytes };
    } catch (error) {
      if (isMkError(error, 'NO_ADDRESS_SPACE')) return null; // nothing was ever mapped
      throw error;
    }
  }

  /** Sets how this dispatcher sees a range from now on; other dispatchers decide for themselves. */
  setKind({ address, bytes }: Region, kind: MemoryKind): void {
    checkKind(kind);
    const at = this.privates.findIndex((one) => one.address === address);
    if (at >= 0) this.privates.splice(at, 1);
    if (kind === 'private') this.privates.push({ address, bytes });
    this.tlb.flush(address / PAGE_BYTES, Math.ceil(bytes / PAGE_BYTES));
  }

  /** For a private range: the next access sees the memory's current contents. Unpublished writes are lost. */
  refresh({ address, bytes }: Region): void {
    const first = Math.floor(address / PAGE_BYTES);
    this.tlb.flush(first, Math.ceil((address + bytes) / PAGE_BYTES) - first);
  }

  /** For a private range: writes this dispatcher's copy to the memory itself. */
  async publish({ address, bytes }: Region): Promise<void> {
    for (let at = address; at < address + bytes;) {
      const count = Math.min(PAGE_BYTES - (at % PAGE_BYTES), address + bytes - at);
      await this.runtime.calls.ask('memory_put', [at, await this.read(at, count)]);
      at += count;
    }
  }

  /**
   * Adds to 8 bytes at their home, atomically for every core; resolves with the previous value. The sum wraps at 64
   * bits.
   */
  fetchAdd(address: number, value: bigint): Promise<bigint> {
    return this.atomic(address, 'add', value);
  }

  /** Replaces a value; resolves with the previous one. */
  swap(address: number, value: bigint): Promise<bigint> {
    return this.atomic(address, 'swap', value);
  }

  /** Replaces a value if it is `expected`; resolves with the previous value, which shows whether it was. */
  compareAndSwap(address: number, expected: bigint, value: bigint): Promise<bigint> {
    return this.atomic(address, 'compare_and_swap', value, expected);
  }

  /** Serves a request of another dispatcher of this domain. */
  async serve(request: PlainValue): Promise<PlainValue> {
    const { what, at, address, bytes, rights, access } = request as Readonly<Record<string, number>> & {
      readonly what: string;
      readonly access: AccessKind;
    };
    if (what === 'fault') {
      const isAllowed = await this.handled(known(address), access);
      if (isAllowed || this.regions.at(known(address))?.name !== 'a guard page') return isAllowed;
      throw new MkError(
        'PAGE_FAULT',
        `${access} at 0x${known(address).toString(16)}: nothing is mapped there (a guard page)`,
      );
    }
    const start = known(at);
    if (what === 'unmap') {
      await this.unmap({ address: start, bytes: bytes ?? PAGE_BYTES });
      return null;
    }
    const region = this.regions.of({ address: start, bytes: 0 });
    await this.protect(region, known(rights), { address: known(address), bytes: known(bytes) });
    return null;
  }

  private async atomic(address: number, operation: string, operand: bigint, expected = 0n): Promise<bigint> {
    const request = { operation, operand: wordText(operand), expected: wordText(expected) };
    const ask = (): Promise<string> => this.runtime.calls.ask('memory_atomic', [address, request]);
    return BigInt(await this.allowed(address, 'write', ask));
  }

  /** Finds a page on which this access is possible, whatever that takes. */
  private resolve(address: number, kind: AccessKind): Promise<Translation> {
    const how = this.privates.some((one) => holds(one, address)) ? 'snapshot' : kind;
    return this.allowed(address, kind, async () => {
      for (;;) {
        const { frame, rights } = await this.runtime.calls.ask('page_fault', [address, how]);
        const view = this.runtime.border.takeFrame(frame);
        if (view !== null) return { frame: view, page: 0, rights }; // null: so many came at once that this one was dropped
      }
    });
  }

  /** Makes an access; where the tables do not allow it, asks its handler and tries again. */
  private async allowed<T>(address: number, kind: AccessKind, access: () => Promise<T>): Promise<T> {
    for (let handled = 0; ;) {
      try {
        return await access();
      } catch (error) {
        // Before the first mapping there is no address space: a fault like any other.
        const isFault = isMkError(error, 'PAGE_FAULT') || isMkError(error, 'NO_ADDRESS_SPACE');
        if (!isFault || !(await this.askHandler(address, kind))) throw this.named(error, address, kind);
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
    const region = this.regions.at(address);
    if (!region?.onFault) return Promise.resolve(false);
    const handling = this.handle(address, access, region.onFault).finally(() => this.handling.delete(page));
    this.handling.set(page, handling);
    return handling;
  }

  /** Another core's fault may have been under way when the handler resolved one like it: then nothing is left to do. */
  private async handle(address: number, access: AccessKind, onFault: FaultHandler): Promise<boolean> {
    const found = await this.lookup(address);
    if (found !== null && (found.rights & ACCESS[access]) !== 0) return true;
    return onFault({ address, access });
  }

  private freshPage(region: Mapped, { address, access }: { address: number; access: AccessKind }): Promise<boolean> {
    if (region.runs.some((run) => holds(run, address))) return Promise.resolve(false); // a right is missing
    return comes(region, this.mapFreshPage(region, address - (address % PAGE_BYTES), access));
  }

  private async mapFreshPage(region: Mapped, address: number, access: AccessKind): Promise<boolean> {
    const rights = rightsAt(region, address) ?? READ_WRITE;
    if ((rights & ACCESS[access]) === 0) return false;
    await Promise.allSettled(region.leaving); // of this page, it may be
    const frame = region.frames.get(address) ?? (await this.allocFrame(PAGE_BYTES)); // it stays if entering fails
    region.frames.set(address, frame);
    const place = { address, offset: 0, bytes: PAGE_BYTES, rights, pageBytes: PAGE_BYTES } as const;
    await this.enter(region, frame, place);
    return true;
  }

  private enter(region: Mapped, frame: number, place: PlaceInFrame): Promise<void> {
    return comes(
      region,
      this.tables.enter(frame, place).then((runs) => void region.runs.push(...runs)),
    );
  }

  private named(error: unknown, address: number, kind: AccessKind): unknown {
    if (isMkError(error, 'NO_ADDRESS_SPACE'))
      return new MkError('PAGE_FAULT', `${kind} at 0x${address.toString(16)}: nothing is mapped there`);
    if (!isMkError(error, 'PAGE_FAULT')) return error;
    const isGuard = this.regions.at(address)?.name === 'a guard page';
    return isGuard ? new MkError('PAGE_FAULT', `${error.text} (a guard page)`) : error;
  }

  /** Removes a handler's mapping within a reserved range: the next access faults again. */
  private async unmapWithin(around: Mapped, { address, bytes }: Region): Promise<void> {
    await Promise.allSettled(around.coming);
    const within = around.runs.filter((run) => run.address >= address && run.address + run.bytes <= address + bytes);
    if (within.length === 0) throw new MkError('PAGE_FAULT', `nothing was mapped at 0x${address.toString(16)}`);
    for (const run of within) {
      const frame = around.frames.get(run.address);
      if (!(await this.leave(around, run))) continue; // by another unmap
      if (frame !== undefined) await unlessGone(this.capabilities.delete(frame));
    }
    await Promise.allSettled(around.leaving);
    this.tlb.flush(address / PAGE_BYTES, bytes / PAGE_BYTES);
  }

  /** Unmaps a run of a region; false: another unmap does. */
  private async leave(region: Mapped, run: MappedRun): Promise<boolean> {
    if (!takeRun(region, run)) return false;
    region.frames.delete(run.address);
    await leaves(region, unlessGone(this.capabilities.unmap(run.mapping)));
    return true;
  }

  private checkAtHome(): void {
    if (this.atHome !== null)
      throw new MkError('NOT_AT_HOME', 'addresses are given out by the dispatcher with which the domain began');
  }

  /** The bytes of a frame from an offset on. */
  private async bytesFrom(frame: number, offset: number): Promise<number> {
    const { bytes } = await this.capabilities.identify(frame);
    if (offset < bytes) return bytes - offset;
    throw new MkError('MAP_RANGE', `the frame has ${bytes} bytes, none from ${offset} on`);
  }
}

/** Breaks the cycle between the memory and the space that answers its faults: the memory is made first. */
class FaultPort implements MemoryPort {
  constructor(readonly fault: MemoryPort['fault']) {}
}

/** Waits for a removal that a revoke may have made already. */
async function unlessGone(removal: Promise<void>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!isMkError(error, 'CAPABILITY_NOT_FOUND')) throw error;
  }
}

function wordText(word: bigint): string {
  return String(BigInt.asUintN(64, word));
}

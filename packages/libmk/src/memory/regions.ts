/** Which addresses of an address space are taken, and by what. */
import { MkError } from '../runtime/mk-error.ts';
import { type AccessKind, PAGE_BYTES } from '../dispatcher/frame-view.ts';
import type { MappedRun } from './page-tables.ts';

/** A range of this address space. */
export interface Region {
  readonly address: number;
  readonly bytes: number;
}

/**
 * Handles an access that the page tables do not allow: nothing is mapped there, or the right is missing. True: it is
 * allowed now, and is retried. Runs on the core where the domain began, for accesses on every core; one at a time per
 * page.
 */
export type FaultHandler = (fault: {
  readonly address: number;
  readonly access: AccessKind;
}) => Promise<boolean> | boolean;

interface RightsOfPart extends Region {
  readonly rights: number;
}

/** A region and its state. */
export interface Mapped extends Region {
  readonly runs: MappedRun[];
  /** Frames that the library made for demand paging, by page address. */
  readonly frames: Map<number, number>;
  /** Rights of parts, newest last, for pages that come later. */
  rights: readonly RightsOfPart[];
  /** Mappings under way there: whoever removes or protects the region waits for them. */
  readonly coming: Set<Promise<unknown>>;
  /** What is being unmapped there: until it is, a core may use it, and its entry is taken. */
  readonly leaving: Set<Promise<unknown>>;
  readonly pageBytes: number;
  /** Null: a fault here ends the access, as on a guard page. */
  readonly onFault: FaultHandler | null;
  readonly name: 'a mapping' | 'a reserved range' | 'a guard page';
}

/** Addresses are assigned from here up, so that low addresses, which stray pointers hit first, stay unmapped. */
const FIRST_ADDRESS = 2 ** 32;
/** The page tables cover the addresses below. */
const SPACE_BYTES = 2 ** 48;

export class Regions {
  private readonly regions = new Map<number, Mapped>();
  private nextAddress = FIRST_ADDRESS;

  add(given: Pick<Mapped, 'address' | 'bytes' | 'pageBytes' | 'onFault' | 'name'>): Mapped {
    const region: Mapped = { ...given, runs: [], frames: new Map(), rights: [], coming: new Set(), leaving: new Set() };
    this.regions.set(region.address, region);
    return region;
  }

  /** Its addresses may have been given to another meanwhile, which stays. */
  delete(region: Mapped): void {
    if (this.regions.get(region.address) === region) this.regions.delete(region.address);
  }

  /** The region that begins at an address; throws PAGE_FAULT. */
  of({ address }: Region): Mapped {
    const region = this.regions.get(address);
    if (region === undefined) throw new MkError('PAGE_FAULT', `nothing was mapped at ${hex(address)}`);
    return region;
  }

  /** The region around an address. */
  at(address: number): Mapped | undefined {
    for (const region of this.regions.values()) if (holds(region, address)) return region;
    return undefined;
  }

  /** The range reserved for a handler that contains these addresses, if any. */
  reservedAround({ address, bytes }: Region): Mapped | null {
    const region = this.at(address);
    const isReserved = region?.name === 'a reserved range' && holds(region, address + bytes - 1);
    return isReserved ? region : null;
  }

  /** A free place; throws if there is none. A page stays free on both sides, so that overrunning a region hits none. */
  place(bytes: number, pageBytes: number): number {
    const up = (address: number): number => Math.ceil(address / pageBytes) * pageBytes;
    const inTheWay = (place: Region): Mapped | undefined => {
      const wide = { address: place.address - PAGE_BYTES, bytes: place.bytes + 2 * PAGE_BYTES };
      return [...this.regions.values()].find((one) => overlap(one, wide));
    };
    let address = up(this.nextAddress);
    checkPlace({ address, bytes }, pageBytes);
    for (let one = inTheWay({ address, bytes }); one !== undefined; one = inTheWay({ address, bytes }))
      address = up(one.address + one.bytes + PAGE_BYTES);
    checkPlace({ address, bytes }, pageBytes);
    this.nextAddress = address + bytes + PAGE_BYTES;
    return address;
  }

  /** Throws ENTRY_IN_USE if the entry is taken. */
  checkFree(place: Region): void {
    for (const one of this.regions.values())
      if (overlap(one, place))
        throw new MkError('ENTRY_IN_USE', `${hex(one.address)} is taken by ${one.name}; unmap it first`);
  }
}

/** Throws unless a range lies on whole pages of the address space. */
export function checkPlace({ address, bytes }: Region, pageBytes: number): void {
  if (!(bytes > 0)) throw new MkError('SIZE_ALIGNMENT', `a range needs at least one byte, not ${bytes}`);
  checkPages({ address, bytes }, pageBytes);
  if (address + bytes > SPACE_BYTES)
    throw new MkError('MISALIGNED', `an address space ends at 2^48, ${hex(address)} and ${bytes} bytes are beyond`);
}

/** Throws unless a part of a region consists of whole pages of it. */
export function checkPart({ address, bytes }: Region, region: Mapped): void {
  checkPages({ address, bytes }, region.pageBytes);
  if (address < region.address || address + bytes > region.address + region.bytes)
    throw new MkError(
      'MAP_RANGE',
      `${bytes} bytes at ${hex(address)} are not within the ${region.bytes} at ${hex(region.address)}`,
    );
}

/** Registers a mapping in its region while it is being made. */
export function comes<T>({ coming }: Mapped, mapping: Promise<T>): Promise<T> {
  return underWay(coming, mapping);
}

/** As `comes`, of an unmap. */
export function leaves<T>({ leaving }: Mapped, unmap: Promise<T>): Promise<T> {
  return underWay(leaving, unmap);
}

function underWay<T>(all: Set<Promise<unknown>>, one: Promise<T>): Promise<T> {
  all.add(one);
  const over = (): boolean => all.delete(one);
  one.then(over, over);
  return one;
}

/** Takes a run out of its region, so that nobody names its capability again, whose slot may soon be another's; false: somebody else has. */
export function takeRun({ runs }: Mapped, run: MappedRun): boolean {
  const at = runs.indexOf(run);
  if (at >= 0) runs.splice(at, 1);
  return at >= 0;
}

/** Sets the rights of pages of this part that come later; forgets earlier parts that it covers. */
export function setRights(region: Mapped, part: RightsOfPart): void {
  const isCovered = ({ address, bytes }: Region): boolean => holds(part, address) && holds(part, address + bytes - 1);
  region.rights = [...region.rights.filter((old) => !isCovered(old)), part];
}

/** The rights of a page that comes now, as set last; undefined: never set. */
export function rightsAt({ rights }: Mapped, address: number): number | undefined {
  return rights.findLast((part) => holds(part, address))?.rights;
}

export function holds({ address: first, bytes }: Region, address: number): boolean {
  return address >= first && address < first + bytes;
}

function overlap(one: Region, other: Region): boolean {
  return one.address < other.address + other.bytes && other.address < one.address + one.bytes;
}

function checkPages({ address, bytes }: Region, pageBytes: number): void {
  for (const value of [address, bytes])
    if (!Number.isSafeInteger(value) || value < 0 || value % pageBytes !== 0)
      throw new MkError('MISALIGNED', `address and bytes are multiples of ${pageBytes}, not ${hex(value)}`);
}

function hex(value: number): string {
  return Number.isSafeInteger(value) && value >= 0 ? `0x${value.toString(16)}` : String(value);
}

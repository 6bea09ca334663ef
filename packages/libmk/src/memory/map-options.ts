/** A program's options for mapping a frame. */
import { RIGHTS } from '../capabilities/capabilities.ts';
import { PAGE_BYTES } from '../dispatcher/frame-view.ts';
import { MkError } from '../runtime/mk-error.ts';
import { LARGE_PAGE_BYTES, type PageBytes } from './page-tables.ts';
import type { FaultHandler } from './regions.ts';

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
  /** Handles accesses that lack the right; by default they fail with PAGE_FAULT. */
  readonly onFault?: FaultHandler;
}

export const READ_WRITE = RIGHTS.read | RIGHTS.write;
const ALL_ACCESS = READ_WRITE | RIGHTS.execute;
const PAGE_SIZES: readonly PageBytes[] = [PAGE_BYTES, LARGE_PAGE_BYTES];
/** Throws if the options are invalid. */
export function checkOptions(options: Required<Pick<MapOptions, 'offset' | 'rights' | 'pageBytes' | 'kind'>>): void {
  const { offset, rights, pageBytes, kind } = options;
  if (!PAGE_SIZES.includes(pageBytes))
    throw new MkError('MISALIGNED', `a page has ${PAGE_SIZES.join(' or ')} bytes, not ${pageBytes}`);
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % PAGE_BYTES !== 0)
    throw new MkError('MAP_OFFSET', `an offset is a multiple of ${PAGE_BYTES}, not ${offset}`);
  checkRights(rights);
  checkKind(kind);
}

export function checkRights(rights: number): void {
  if (!Number.isInteger(rights) || (rights & ~ALL_ACCESS) !== 0)
    throw new MkError(
      'RIGHTS_NOT_SUBSET',
      `the rights of a mapping are a sum of RIGHTS.read, write, execute, not ${rights}`,
    );
}

export function checkKind(kind: MemoryKind): void {
  if (kind !== 'coherent' && kind !== 'private')
    throw new MkError('BAD_REQUEST', `memory is coherent or private, not ${String(kind)}`);
}

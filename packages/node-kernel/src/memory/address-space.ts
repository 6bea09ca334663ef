/**
 * An address space at its home: the root of its page tables, and the cores that may hold each of its translations.
 * Other cores cache translations; a core that asked for one is remembered until it is told to forget it (V2). The epoch
 * counts removals: an answer from before one does not count after it.
 */
import { known } from '@mk/monitor-proto/assert';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { CoreId } from '@mk/monitor-proto/ids';
import { ENTRY_BYTES, type PageTables } from '../capability/store/page-tables.ts';
import type { Entries } from '../capability/model/changes.ts';

/** Virtual pages, the first and how many. */
export interface PageRange {
  readonly first: number;
  readonly count: number;
}

/** The translation of a virtual page. */
export interface PageTranslation {
  /** Number of the physical page. */
  readonly physical: number;
  /** Bits of ACCESS. */
  readonly rights: number;
  /** Bytes of the page table's entry: 4 KiB, 2 MiB or 1 GiB. */
  readonly entryBytes: number;
}

export class AddressSpace {
  /** Counts unmaps and protects. */
  epoch = 1;
  private readonly holders = new Map<number, Set<CoreId>>();

  constructor(
    readonly domain: string,
    /** Physical address of the root table. */
    readonly root: number,
  ) {}

  translate(tables: PageTables, page: number): PageTranslation | null {
    const found = tables.translate(this.root, page * PAGE_BYTES);
    if (found === null) return null;
    return { physical: found.address / PAGE_BYTES, rights: found.rights, entryBytes: found.pageBytes };
  }

  /** Notes that a core has been given a page's translation. */
  hold(page: number, core: CoreId): void {
    const cores = this.holders.get(page);
    if (cores === undefined) this.holders.set(page, new Set([core]));
    else cores.add(core);
  }

  /** The cores that may hold a translation of one of the pages. */
  holdersOf({ first, count }: PageRange): CoreId[] {
    const cores = new Set<CoreId>();
    for (const page of this.heldIn(first, count)) for (const core of known(this.holders.get(page))) cores.add(core);
    return [...cores].sort((a, b) => a - b);
  }

  /** Notes that no core holds translations of these pages any more. */
  forget({ first, count }: PageRange): void {
    for (const page of this.heldIn(first, count)) this.holders.delete(page);
  }

  coreGone(core: CoreId): void {
    for (const [page, cores] of this.holders) if (cores.delete(core) && cores.size === 0) this.holders.delete(page);
  }

  /** The virtual pages covered by entries of one of this space's tables; null: the table is not part of it. */
  pagesOf(tables: PageTables, { table, first, count, level }: Entries): PageRange | null {
    const base = this.baseOf(tables, table);
    if (base === null) return null;
    const bytes = known(ENTRY_BYTES[level]);
    return { first: (base + first * bytes) / PAGE_BYTES, count: (count * bytes) / PAGE_BYTES };
  }

  private baseOf(tables: PageTables, table: number): number | null {
    if (table === this.root) return 0;
    for (const { virtual, run } of tables.tablesBelow(this.root)) if (run.object.address === table) return virtual;
    return null;
  }

  private heldIn(first: number, count: number): number[] {
    if (count < this.holders.size)
      return Array.from({ length: count }, (_, i) => first + i).filter((page) => this.holders.has(page));
    return [...this.holders.keys()].filter((page) => page >= first && page < first + count);
  }
}

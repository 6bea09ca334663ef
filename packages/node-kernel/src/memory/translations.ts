/**
 * A core's cached translations, by domain and virtual page: the cache in front of the home's page tables. A removal
 * comes with the space's epoch; an answer from an earlier epoch is not kept (VS1).
 */
import { type FrameView, makeFrameView, PAGE_BYTES, PAGE_STATES } from '@mk/libmk/dispatcher/frame-view';
import type { PageRange, PageTranslation } from './address-space.ts';

interface Known {
  /** The epoch of the latest removal. */
  epoch: number;
  readonly pages: Map<number, PageTranslation>;
  /** Words of private views, by virtual page: snapshots that belong to one dispatcher. */
  readonly views: Map<number, Int32Array[]>;
}

const NOTHING: ReadonlyMap<number, PageTranslation> = new Map();

export class Translations {
  private readonly byDomain = new Map<string, Known>();

  get(domain: string, page: number): PageTranslation | undefined {
    return this.byDomain.get(domain)?.pages.get(page);
  }

  of(domain: string): ReadonlyMap<number, PageTranslation> {
    return this.byDomain.get(domain)?.pages ?? NOTHING;
  }

  get size(): number {
    let size = 0;
    for (const { pages } of this.byDomain.values()) size += pages.size;
    return size;
  }

  /** Whether an answer of this epoch counts, because nothing newer has been removed here. */
  isCurrent(domain: string, epoch: number): boolean {
    return epoch >= (this.byDomain.get(domain)?.epoch ?? 0);
  }

  /** Keeps a current answer of the home. */
  keep(domain: string, _epoch: number, page: number, translation: PageTranslation): PageTranslation {
    this.knownOf(domain).pages.set(page, translation);
    return translation;
  }

  /** Drops translations through these pages; returns the physical pages that a dispatcher may hold. */
  drop(domain: string, epoch: number, ranges: readonly PageRange[]): number[] {
    const known = this.knownOf(domain);
    known.epoch = Math.max(known.epoch, epoch);
    const physical = new Set<number>();
    for (const { first, count } of ranges) {
      for (const page of pagesIn(known.pages, first, count)) {
        physical.add(known.pages.get(page)!.physical);
        known.pages.delete(page);
      }
      for (const page of pagesIn(known.views, first, count)) {
        for (const words of known.views.get(page)!) Atomics.store(words, 0, PAGE_STATES.invalid);
        known.views.delete(page);
      }
    }
    return [...physical];
  }

  /** A private copy of a page for one dispatcher, valid until the mapping is taken away. */
  privateView(domain: string, address: number, bytes: Uint8Array): FrameView {
    const view = makeFrameView(1);
    new Uint8Array(view.bytes).set(bytes);
    const words = new Int32Array(view.words);
    Atomics.store(words, 0, PAGE_STATES.modified);
    const { views } = this.knownOf(domain);
    const page = Math.floor(address / PAGE_BYTES);
    const others = views.get(page) ?? [];
    others.push(words);
    if (others.length > VIEWS_KEPT) Atomics.store(others.shift()!, 0, PAGE_STATES.invalid);
    views.set(page, others);
    return view;
  }

  forget(domain: string): void {
    this.byDomain.delete(domain);
  }

  private knownOf(domain: string): Known {
    let known = this.byDomain.get(domain);
    if (known === undefined) this.byDomain.set(domain, (known = { epoch: 0, pages: new Map(), views: new Map() }));
    return known;
  }
}

/** Snapshots of one page that a domain may hold on a core; older ones are closed, and fault again. */
const VIEWS_KEPT = 64;

function pagesIn(map: ReadonlyMap<number, unknown>, first: number, count: number): number[] {
  if (count < map.size) return Array.from({ length: count }, (_, i) => first + i).filter((page) => map.has(page));
  return [...map.keys()].filter((page) => page >= first && page < first + count);
}

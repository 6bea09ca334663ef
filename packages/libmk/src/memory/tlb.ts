/**
 * The software TLB of a dispatcher: virtual pages to bytes that may be touched now.
 *
 * The kernel changes a page's state from another thread. A read takes effect when the state is read: whatever takes the
 * page away comes after it. A write counts only if the state still allows it afterwards, read by a locked operation, so
 * that the write is visible before the word is read; otherwise it may have missed the copy that the kernel took, and is
 * repeated after a fault. So nothing done after an acknowledged invalidation has an effect (V2, M6), without a lock. A
 * *pin* holds a page for a raw view: the kernel waits for the end of the turn before it acknowledges.
 */
import {
  ACCESS,
  type AccessKind,
  type FrameView,
  PAGE_BYTES,
  PAGE_STATES,
  pinWordOf,
} from '../dispatcher/frame-view.ts';

/** One translation: the answer to a fault. */
export interface Translation {
  readonly frame: FrameView;
  /** Which page of the frame. */
  readonly page: number;
  /** Mask of `ACCESS`. */
  readonly rights: number;
}

export interface TlbStatistics {
  misses: number;
  /** Accesses with a void translation: unmapped, moved, or not allowed by the page's state. */
  refills: number;
}

/** Entries, direct mapped by the low bits of the page number; a power of two. */
const TLB_ENTRIES = 256;

/** Everything that an access needs, flat. */
export interface TlbEntry {
  virtualPage: number;
  words: Int32Array;
  stateWord: number;
  pinWord: number;
  /** The lowest states that allow a read and a write; `NEVER` without the right. */
  readState: number;
  writeState: number;
  /** The page itself. */
  bytes: Uint8Array;
  view: DataView;
}

const NEVER = 3;
const NO_WORDS = new Int32Array(2);
const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(new ArrayBuffer(0));

export class Tlb {
  readonly statistics: TlbStatistics = { misses: 0, refills: 0 };
  private readonly entries: TlbEntry[] = Array.from({ length: TLB_ENTRIES }, () => clear({} as TlbEntry));

  /** The entry of a virtual page that may be read now; null: fault first. */
  forRead(virtualPage: number): TlbEntry | null {
    const entry = this.entries[virtualPage & (TLB_ENTRIES - 1)]!;
    if (entry.virtualPage !== virtualPage) return null;
    return Atomics.load(entry.words, entry.stateWord) < entry.readState ? null : entry;
  }

  /** Like `forRead`, for a write; check `counts` afterwards. */
  forWrite(virtualPage: number): TlbEntry | null {
    const entry = this.entries[virtualPage & (TLB_ENTRIES - 1)]!;
    return entry.virtualPage !== virtualPage || entry.words[entry.stateWord]! < entry.writeState ? null : entry;
  }

  /** Whether a write just made through an entry counts. */
  counts({ words, stateWord, writeState }: TlbEntry): boolean {
    return Atomics.or(words, stateWord, 0) >= writeState;
  }

  /** Holds an entry's page in its state until it is released; false: it is no longer in that state. */
  pin(entry: TlbEntry, kind: AccessKind): boolean {
    Atomics.add(entry.words, entry.pinWord, 1);
    const needed = kind === 'read' ? entry.readState : entry.writeState;
    if (Atomics.or(entry.words, entry.stateWord, 0) >= needed) return true;
    Atomics.sub(entry.words, entry.pinWord, 1);
    return false;
  }

  /** Counts an access that must wait for a fault, by whether the page was known. */
  noteFault(virtualPage: number): void {
    const known = this.entries[virtualPage & (TLB_ENTRIES - 1)]!.virtualPage === virtualPage;
    this.statistics[known ? 'refills' : 'misses'] += 1;
  }

  fill(virtualPage: number, { frame, page, rights }: Translation): TlbEntry {
    const entry = this.entries[virtualPage & (TLB_ENTRIES - 1)]!;
    const pages = frame.words.byteLength / 8;
    entry.virtualPage = virtualPage;
    entry.readState = (rights & ACCESS.read) === 0 ? NEVER : PAGE_STATES.shared;
    entry.writeState = (rights & ACCESS.write) === 0 ? NEVER : PAGE_STATES.modified;
    // A page that was recalled and returns into its buffer: views of it are still valid.
    if (entry.words.buffer === frame.words && entry.stateWord === page) return entry;
    entry.words = new Int32Array(frame.words);
    entry.stateWord = page;
    entry.pinWord = pinWordOf(pages, page);
    entry.bytes = new Uint8Array(frame.bytes, page * PAGE_BYTES, PAGE_BYTES);
    entry.view = new DataView(frame.bytes, page * PAGE_BYTES, PAGE_BYTES);
    return entry;
  }

  /** Drops the translations of `count` virtual pages. */
  flush(first: number, count: number): void {
    for (const entry of this.entries) if (entry.virtualPage >= first && entry.virtualPage < first + count) clear(entry);
  }
}

function clear(entry: TlbEntry): TlbEntry {
  entry.virtualPage = -1;
  entry.words = NO_WORDS;
  entry.stateWord = 0;
  entry.pinWord = 1;
  entry.readState = NEVER;
  entry.writeState = NEVER;
  entry.bytes = NO_BYTES;
  entry.view = NO_VIEW;
  return entry;
}

/**
 * A dispatcher's view of a frame: the bytes, and beside them the words in which the CPU driver keeps the state of each
 * page. Both are shared memory, made by the kernel and handed over with the answer to a fault. The kernel may change
 * the words while a program runs. It never takes the bytes away: unmap, protect and revoke *relocate*. All words of the
 * old view become `invalid`, and its bytes are a dead copy that nobody reads.
 */

export const PAGE_BYTES = 4096;

/** The accesses that a page allows, as the kernel writes them in the page's state word. */
export const PAGE_STATES = { invalid: 0, shared: 1, modified: 2 } as const;

/** Rights of a translation: the bits of the capability table. */
export const ACCESS = { read: 1, write: 2, execute: 4 } as const;
export type AccessKind = 'read' | 'write';

export interface FrameView {
  /** The bytes of the frame, a whole number of pages. */
  readonly bytes: SharedArrayBuffer;
  /** Int32 words: the state of each page, then the pins of each page. */
  readonly words: SharedArrayBuffer;
}

/** A view of zeroed bytes, every page invalid and without pins. For the kernel. */
export function makeFrameView(pages: number): FrameView {
  return { bytes: new SharedArrayBuffer(pages * PAGE_BYTES), words: new SharedArrayBuffer(8 * pages) };
}

/** Index of a page's pin count among the words of a view of `pages` pages. */
export function pinWordOf(pages: number, page: number): number {
  return pages + page;
}

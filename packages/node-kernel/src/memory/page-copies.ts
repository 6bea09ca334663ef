/**
 * The pages that a core holds, as its dispatchers see them: a page of shared memory each, with a word that says which
 * accesses are allowed. Guarantees that no access survives the core's giving a page up (V2, M6), whatever a program
 * does meanwhile:
 *
 * - while a dispatcher of this core is in a turn, a page that is taken back *relocates*: its word becomes `invalid`, a
 *   raw view ends with the turn, and the bytes go on in a fresh buffer. The program is left with a dead copy.
 * - between turns nobody looks: changing the word is enough, except for a mapping that is taken away, which relocates
 *   as well.
 *
 * A page that answered a fault stays as it is until the turn that gets the answer is over, so that the dispatcher can
 * use it (M4). That is for progress, not for safety.
 *
 * A recalled page leaves its buffer behind, `invalid`, with the dispatchers that have it: when the page comes back it
 * uses the same buffer, so that no memory has to be made and handed over (decision 0177).
 */
import { limit } from '@mk/monitor-proto/limits';
import { type FrameView, makeFrameView, PAGE_STATES, pinWordOf } from '@mk/libmk/dispatcher/frame-view';
import type { PageState } from './coherence/messages.ts';

export interface CopiesPort {
  /** Whether a dispatcher of this core may be in the middle of an access: in a turn, or being stopped. */
  inTurn(): boolean;
  /** Whether this core contributes the page's memory and knows of it, so that its bytes stay, whatever the state. */
  keeps(page: number): boolean;
}

interface PageCopy {
  readonly page: number;
  view: FrameView;
  bytes: Uint8Array;
  words: Int32Array;
  state: PageState;
  /** Dispatchers that were given this very buffer. */
  readonly handed: Set<number>;
  /** Dispatchers whose fault the page answered, until the turn that gets the answer is over. */
  readonly kept: Set<number>;
  /** The word lags behind `state`, because somebody keeps the page or a raw view is open. */
  closing: boolean;
  /** The buffer must be replaced even though nobody is in a turn: the mapping is gone. */
  mustMove: boolean;
  readonly waiting: (() => void)[];
}

const PIN = pinWordOf(1, 0);

export class PageCopies {
  private readonly copies = new Map<number, PageCopy>();
  /** Pages kept for a dispatcher, and the number of the turn whose end frees them. */
  private readonly keeping = new Map<number, { readonly page: number; readonly turn: number }[]>();
  private readonly closing = new Set<PageCopy>();
  /** Invalid since the last sweep. */
  private readonly unused = new Set<PageCopy>();
  /** Invalid since the last sweep, and nobody will want them back. */
  private readonly useless = new Set<PageCopy>();
  /** Invalid, with a buffer that a dispatcher may still have; the oldest go first. */
  private readonly idle = new Set<PageCopy>();
  relocations = 0;

  constructor(private readonly port: CopiesPort) {}

  get size(): number {
    return this.copies.size;
  }

  bytesOf(page: number): Uint8Array {
    return this.copyOf(page).bytes;
  }

  /** The bytes, if there are any; for observers. */
  peek(page: number): Uint8Array | null {
    return this.copies.get(page)?.bytes ?? null;
  }

  /** The access that the word allows programs now: 0 none, 1 read, 2 write. For checkers. */
  wordOf(page: number): number {
    const copy = this.copies.get(page);
    return copy === undefined ? 0 : Atomics.load(copy.words, 0);
  }

  /** Sets what programs may do with the page from now on; a restriction takes effect when `quiesce` says so. */
  setState(page: number, state: PageState): void {
    if (state === 'invalid' && !this.copies.has(page)) return; // given up silently before
    const copy = this.copyOf(page);
    const less = PAGE_STATES[state] < PAGE_STATES[copy.state];
    copy.state = state;
    if (state !== 'invalid') this.idle.delete(copy);
    if (!less) return void (copy.closing || Atomics.store(copy.words, 0, PAGE_STATES[state]));
    this.close(copy);
  }

  /** Calls back, perhaps at once, when nobody can be in the middle of an access that the state does not allow. */
  quiesce(page: number, done: () => void): void {
    const copy = this.copies.get(page);
    if (copy === undefined || !copy.closing) done();
    else copy.waiting.push(done);
  }

  /** Calls `done` once no buffer of this page that a dispatcher was given is the page any more. */
  relocate(page: number, done: () => void): void {
    const copy = this.copies.get(page);
    if (copy === undefined || copy.handed.size === 0) return this.quiesce(page, done);
    copy.mustMove = true;
    this.close(copy);
    return this.quiesce(page, done);
  }

  /** Hands the page to a dispatcher as it is now; it stays so until turn number `turn` is over. */
  hand(page: number, dispatcher: number, turn: number): FrameView {
    const copy = this.copyOf(page);
    copy.handed.add(dispatcher);
    copy.kept.add(dispatcher);
    const kept = this.keeping.get(dispatcher) ?? [];
    kept.push({ page, turn });
    this.keeping.set(dispatcher, kept);
    return copy.view;
  }

  /** A dispatcher's turn is over, and with it its raw views; it has had its answers. */
  turnOver(dispatcher: number, turn: number): void {
    const kept = this.keeping.get(dispatcher);
    if (kept !== undefined) {
      const left = kept.filter((one) => one.turn > turn);
      if (left.length > 0) this.keeping.set(dispatcher, left);
      else this.keeping.delete(dispatcher);
      for (const { page } of kept)
        if (!left.some((one) => one.page === page)) this.copies.get(page)?.kept.delete(dispatcher);
    }
    if (this.closing.size > 0) this.settle();
  }

  /** A dispatcher is no more. */
  dispatcherGone(dispatcher: number): void {
    this.turnOver(dispatcher, Infinity);
    for (const copy of this.copies.values())
      if (copy.handed.delete(dispatcher) && copy.handed.size === 0 && this.idle.has(copy)) this.useless.add(copy);
  }

  /** The page is zero and unknown to this core: its buffer need not be kept. */
  forgotten(page: number): void {
    const copy = this.copies.get(page);
    if (copy !== undefined) this.useless.add(copy);
  }

  /** Drops buffers that nobody holds. Call once everything due has been answered. */
  sweep(): void {
    if (this.unused.size + this.useless.size === 0) return; // only pages that became unused add to the idle ones
    for (const copy of this.unused)
      if (copy.handed.size > 0 && this.isUnused(copy)) this.idle.add(copy);
      else this.useless.add(copy);
    this.unused.clear();
    for (const copy of this.idle) {
      if (this.idle.size <= limit('idlePageBuffers')) break;
      this.idle.delete(copy);
      this.useless.add(copy);
    }
    for (const copy of this.useless)
      if (this.isUnused(copy)) {
        this.idle.delete(copy);
        this.copies.delete(copy.page);
      }
    this.useless.clear();
  }

  private isUnused({ page, state, closing }: PageCopy): boolean {
    return state === 'invalid' && !closing && !this.port.keeps(page);
  }

  /** Leftovers: pages that are still closing. */
  get leftovers(): readonly string[] {
    return [...this.closing].map(({ page }) => `page ${page.toString(16)} is being closed`);
  }

  /** M6 as far as the words show: none allows more than the state does, except while it is closing. */
  invariants(): string[] {
    return [...this.copies.values()]
      .filter(({ closing, words, state }) => !closing && Atomics.load(words, 0) > PAGE_STATES[state])
      .map(({ page, state }) => `M6: the word of page ${page.toString(16)} allows more than ${state}`);
  }

  private copyOf(page: number): PageCopy {
    let copy = this.copies.get(page);
    if (copy === undefined) {
      const view = makeFrameView(1);
      copy = {
        page,
        view,
        bytes: new Uint8Array(view.bytes),
        words: new Int32Array(view.words),
        state: 'invalid',
        handed: new Set(),
        kept: new Set(),
        closing: false,
        mustMove: false,
        waiting: [],
      };
      this.copies.set(page, copy);
    }
    return copy;
  }

  private close(copy: PageCopy): void {
    copy.closing = true;
    this.closing.add(copy);
    this.tryClose(copy);
  }

  private settle(): void {
    for (const copy of [...this.closing]) this.tryClose(copy);
  }

  private tryClose(copy: PageCopy): void {
    if (copy.kept.size > 0 && !copy.mustMove) return; // the dispatcher may use the page that answered its fault
    const inTurn = copy.handed.size > 0 && this.port.inTurn();
    const moves = inTurn || copy.mustMove;
    Atomics.store(copy.words, 0, moves ? PAGE_STATES.invalid : PAGE_STATES[copy.state]);
    if (inTurn && Atomics.load(copy.words, PIN) > 0) return; // a raw view, which ends with the turn
    if (moves) this.move(copy);
    copy.closing = false;
    copy.mustMove = false;
    this.closing.delete(copy);
    if (copy.state === 'invalid') this.unused.add(copy);
    for (const done of copy.waiting.splice(0)) done();
  }

  private move(copy: PageCopy): void {
    this.relocations += 1;
    copy.view = makeFrameView(1);
    const bytes = new Uint8Array(copy.view.bytes);
    bytes.set(copy.bytes);
    copy.bytes = bytes;
    copy.words = new Int32Array(copy.view.words);
    copy.handed.clear();
    Atomics.store(copy.words, 0, PAGE_STATES[copy.state]);
  }
}

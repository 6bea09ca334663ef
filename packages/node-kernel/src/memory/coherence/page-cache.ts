/**
 * A holder's half of the coherence protocol (`directory.ts` is the home's). One cache per core, whose copies its
 * dispatchers share. Accesses block and run in order, and acknowledgements wait for the quiesce, so programs see
 * sequential consistency across pages.
 *
 * Guarantees: M2 a read that hits returns the last write in the order of its page's versions; M4 every miss ends. A
 * waiting access is performed while its grant is installed, before anything can take the page away: no two cores can
 * steal a page from each other for ever. Assumes the same of the port as `directory.ts`.
 */
import type { CoreId } from '@mk/monitor-proto/ids';
import type { AtomicRequest, PageError, PageMessage, PageMessageOf, PageState } from './messages.ts';

export interface PageCachePort {
  readonly self: CoreId;
  /** The core that keeps the directory of a page. */
  homeOf(page: number): CoreId;
  /** Whether a core can be asked at all, because this one has met it in its present life. */
  isMet(core: CoreId): boolean;
  /** Reliable and FIFO until the core is gone; to the home on this core too. */
  send(core: CoreId, message: PageMessage): void;
  /** This core's copy, to be read and written in place. On the home core it is the memory itself. */
  bytesOf(page: number): Uint8Array;
  /** Sets what programs of this core may do with the copy from now on; their TLBs check it. */
  setState(page: number, state: PageState): void;
  /** Calls back, perhaps at once, when no dispatcher is in the middle of an access that the state no longer allows. */
  quiesce(page: number, done: () => void): void;
}

export type Need = 'read' | 'write';
/** Performs the access, or learns why it is impossible. Called once. */
export type Access = (error: PageError | null) => void;

interface Waiter {
  readonly need: Need;
  readonly access: Access;
}

interface Copy {
  readonly page: number;
  state: PageState;
  version: number;
  /** The home's number of the latest granting transaction; 0: none. */
  granted: number;
  /** The number of the request under way, or 0. */
  request: number;
  readonly waiters: Waiter[];
  /** Answers to the home that wait for the quiesce, in order; no new request leaves before them. */
  readonly answers: (() => void)[];
}

interface Question {
  readonly page: number;
  readonly home: CoreId;
  readonly answer: (error: PageError | null, value: bigint | Uint8Array) => void;
}

const NO_BYTES = new Uint8Array(0);

export class PageCache {
  private readonly copies = new Map<number, Copy>();
  /** Atomics and snapshots under way, by request number. */
  private readonly questions = new Map<number, Question>();
  private readonly lostHomes = new Set<CoreId>();
  /** This core's copies of other homes' pages, by arrival or latest change of state. */
  private readonly foreignPages = new Set<number>();
  private nextRequest = 1;

  constructor(private readonly port: PageCachePort) {}

  /** What this core may do with a page now. */
  stateOf(page: number): PageState {
    return this.copies.get(page)?.state ?? 'invalid';
  }

  /** The version of this core's copy; 0 without one. */
  versionOf(page: number): number {
    const copy = this.copies.get(page);
    return copy === undefined || copy.state === 'invalid' ? 0 : copy.version;
  }

  /** Performs an access now if the copy allows it, otherwise once it has been granted. */
  access(page: number, need: Need, access: Access): void {
    if (this.isLost(this.port.homeOf(page))) return access('HOME_LOST');
    const copy = this.copyOf(page);
    // First come, first served: a reader that hits must not overtake a writer of its own core.
    if (copy.waiters.length === 0 && allows(copy.state, need)) return access(null);
    copy.waiters.push({ need, access });
    return this.request(copy);
  }

  /** Performs an atomic operation at the page's home; answers the previous value. */
  atomic(page: number, atomic: AtomicRequest, answer: (error: PageError | null, old: bigint) => void): void {
    const ask = (request: number): PageMessage => ({ type: 'page_atomic', page, request, atomic });
    this.ask(page, ask, (error, value) => answer(error, typeof value === 'bigint' ? value : 0n));
  }

  /** Fetches the bytes of a page at one moment; this core does not become a holder. */
  snapshot(page: number, answer: (error: PageError | null, bytes: Uint8Array) => void): void {
    const ask = (request: number): PageMessage => ({
      type: 'page_request',
      page,
      request,
      want: 'snapshot',
      has: false,
    });
    this.ask(page, ask, (error, value) => answer(error, typeof value === 'bigint' ? NO_BYTES : value));
  }

  /** Writes bytes into a page at its home: publishes an incoherent copy. */
  put(page: number, offset: number, data: Uint8Array, answer: (error: PageError | null) => void): void {
    this.ask(
      page,
      (request) => ({ type: 'page_put', page, request, offset, data }),
      (error) => answer(error),
    );
  }

  receive(from: CoreId, message: PageMessage): void {
    switch (message.type) {
      case 'page_grant':
        return this.granted(from, message);
      case 'page_refused':
        return this.refused(message);
      case 'page_atomic_reply':
        return this.answer(message.request, null, message.old);
      case 'page_put_reply':
        return this.answer(message.request, null, NO_BYTES);
      case 'page_invalidate':
        return this.invalidated(from, message);
      case 'page_fetch':
        return this.fetch(from, message);
      default:
        return undefined; // meant for the home
    }
  }

  /** The number of copies of other homes' pages. */
  get foreign(): number {
    return this.foreignPages.size;
  }

  /**
   * Gives up the oldest copies of other homes' pages, except awaited ones, until so many are left; returns how many
   * went.
   */
  makeRoom(capacity: number): number {
    let evicted = 0;
    for (const page of this.foreignPages) {
      if (this.foreignPages.size <= capacity) break;
      if (this.evict(page)) evicted += 1;
    }
    return evicted;
  }

  /**
   * Gives a copy up, writing a modified one back first. False, and the copy stays, when an access waits for the page or
   * it is quiescing.
   */
  evict(page: number): boolean {
    const copy = this.copies.get(page);
    if (copy === undefined) return true;
    if (copy.waiters.length > 0 || copy.answers.length > 0 || copy.request !== 0) return false;
    const { state, version } = copy;
    this.setState(copy, 'invalid');
    if (state !== 'modified') {
      this.copies.delete(page);
      return true;
    }
    this.quiesced(copy, () => {
      const data = this.port.bytesOf(page).slice();
      this.port.send(this.port.homeOf(page), { type: 'page_writeback', page, version, data });
    });
    return true;
  }

  /** The home is gone: its pages' copies go, and their waiters fail. Call before the view without it is installed. */
  homeGone(home: CoreId): void {
    this.lostHomes.add(home);
    for (const copy of [...this.copies.values()]) {
      if (this.port.homeOf(copy.page) !== home) continue;
      this.copies.delete(copy.page);
      this.setState(copy, 'invalid');
      endAll(copy, 'HOME_LOST');
    }
    for (const [request, question] of [...this.questions])
      if (question.home === home) this.answer(request, 'HOME_LOST', NO_BYTES);
  }

  /** The core died while this one was running, or before, in which case nobody would tell this core. */
  private isLost(home: CoreId): boolean {
    return this.lostHomes.has(home) || (home !== this.port.self && !this.port.isMet(home));
  }

  /** A new life of a core keeps a new directory, in which nobody has a copy. */
  homeBack(home: CoreId): void {
    this.lostHomes.delete(home);
  }

  /**
   * The home takes a readable copy back; calls `done` once nobody on this core can read it. An invalidation sent down a
   * tree may arrive after the home has its answer; a copy from a later grant stays.
   */
  invalidate(page: number, transaction: number, done: () => void): void {
    const copy = this.copyOf(page);
    if (copy.granted > transaction) return done();
    this.setState(copy, 'invalid');
    this.quiesced(copy, done);
  }

  /** The pages of which this core holds a copy. */
  held(): { readonly page: number; readonly state: PageState; readonly version: number; readonly asking: boolean }[] {
    return [...this.copies.values()]
      .filter(({ state }) => state !== 'invalid')
      .map(({ page, state, version, request, answers }) => ({
        page,
        state,
        version,
        asking: request !== 0 || answers.length > 0,
      }));
  }

  get leftovers(): readonly string[] {
    const waiting = [...this.copies.values()].filter(({ waiters }) => waiters.length > 0);
    const pages = [...waiting, ...this.questions.values()].map(({ page }) => page.toString(16));
    return pages.map((page) => `an access to page ${page} waits`);
  }

  invariants(): string[] {
    const broken: string[] = [];
    for (const { page, waiters, request, answers, state } of this.copies.values()) {
      const quiescing = answers.length > 0;
      const name = `page ${page.toString(16)}`;
      if (waiters.length > 0 && request === 0 && !quiescing) broken.push(`M4: ${name} has waiters but no request`);
      const [first] = waiters;
      if (first !== undefined && !quiescing && allows(state, first.need))
        broken.push(`M4: ${name} keeps an access waiting that its state allows`);
    }
    return broken;
  }

  private copyOf(page: number): Copy {
    let copy = this.copies.get(page);
    if (copy === undefined) {
      copy = { page, state: 'invalid', version: 0, granted: 0, request: 0, waiters: [], answers: [] };
      this.copies.set(page, copy);
    }
    return copy;
  }

  private setState(copy: Copy, state: PageState): void {
    copy.state = state;
    this.foreignPages.delete(copy.page);
    if (state !== 'invalid' && this.port.homeOf(copy.page) !== this.port.self) this.foreignPages.add(copy.page);
    this.port.setState(copy.page, state);
  }

  private request(copy: Copy): void {
    const [first] = copy.waiters;
    if (first === undefined || copy.request !== 0 || copy.answers.length > 0) return;
    copy.request = this.nextRequest++;
    // One request serves all waiters: asking for the writer separately would only interrupt a reader ahead of it.
    const want = copy.waiters.some(({ need }) => need === 'write') ? 'write' : 'read';
    const { page, request } = copy;
    const has = copy.state === 'shared';
    this.port.send(this.port.homeOf(page), { type: 'page_request', page, request, want, has });
  }

  private ask(page: number, ask: (request: number) => PageMessage, answer: Question['answer']): void {
    const home = this.port.homeOf(page);
    if (this.isLost(home)) return answer('HOME_LOST', NO_BYTES);
    const request = this.nextRequest++;
    this.questions.set(request, { page, home, answer });
    return this.port.send(home, ask(request));
  }

  private answer(request: number, error: PageError | null, value: bigint | Uint8Array): void {
    const question = this.questions.get(request);
    if (question === undefined) return;
    this.questions.delete(request);
    question.answer(error, value);
  }

  private granted(
    from: CoreId,
    { page, request, transaction, version, state, data }: PageMessageOf<'page_grant'>,
  ): void {
    this.port.send(from, { type: 'page_granted', page, transaction });
    if (state === 'invalid') return this.answer(request, null, data ?? NO_BYTES);
    const copy = this.copies.get(page);
    if (copy?.request !== request) return undefined;
    copy.request = 0;
    copy.version = version;
    copy.granted = transaction;
    if (data !== null) this.port.bytesOf(page).set(data);
    this.setState(copy, state);
    this.serve(copy);
    return this.request(copy);
  }

  /** Performs waiting accesses in order, as far as the state allows. */
  private serve(copy: Copy): void {
    while (copy.waiters.length > 0 && allows(copy.state, copy.waiters[0]!.need)) copy.waiters.shift()!.access(null);
  }

  private refused({ page, request, error }: PageMessageOf<'page_refused'>): void {
    const copy = this.copies.get(page);
    if (copy?.request !== request) return this.answer(request, error, NO_BYTES);
    this.copies.delete(page);
    this.setState(copy, 'invalid');
    return endAll(copy, error);
  }

  private invalidated(from: CoreId, { page, transaction }: PageMessageOf<'page_invalidate'>): void {
    const cores = [this.port.self];
    this.invalidate(page, transaction, () =>
      this.port.send(from, { type: 'page_invalidated', page, transaction, cores }),
    );
  }

  private fetch(from: CoreId, { page, transaction, keep }: PageMessageOf<'page_fetch'>): void {
    const copy = this.copyOf(page);
    const { state, version } = copy;
    const held = state === 'modified';
    if (held) this.setState(copy, keep);
    this.quiesced(copy, () => {
      const data = held && from !== this.port.self ? this.port.bytesOf(page).slice() : null;
      this.port.send(from, { type: 'page_data', page, transaction, version, held, data });
    });
  }

  /** Sends the pending answers in order once the page is quiet, then the requests held back meanwhile. */
  private quiesced(copy: Copy, answer: () => void): void {
    copy.answers.push(answer);
    if (copy.answers.length === 1) this.quiesceNext(copy);
  }

  private quiesceNext(copy: Copy): void {
    this.port.quiesce(copy.page, () => {
      copy.answers[0]!();
      copy.answers.shift();
      if (copy.answers.length > 0) return this.quiesceNext(copy);
      if (this.copies.get(copy.page) !== copy) return;
      if (copy.state === 'invalid' && copy.waiters.length === 0 && copy.request === 0) this.copies.delete(copy.page);
      else this.request(copy);
    });
  }
}

function allows(state: PageState, need: Need): boolean {
  return state === 'modified' || (state === 'shared' && need === 'read');
}

function endAll(copy: Copy, error: PageError): void {
  for (const { access } of copy.waiters.splice(0)) access(error);
}

/**
 * The home's half of the coherence protocol: MSI with a blocking home (Sorin, Hill, Wood, "A Primer on Memory
 * Consistency and Cache Coherence", ch. 8).
 *
 * Guarantees, with the holders (`page-cache.ts`): M1 one writer or many readers, grants in flight counted; M3 the
 * directory names every holder; M5 no page is lost silently. Assumes of the port: reliable, FIFO to each core until it
 * is gone.
 *
 * One transaction per page at a time: recall (fetch from the owner, or invalidate the sharers), grant, then the
 * requester's confirmation that it has installed the page. Requests that arrive meanwhile are queued. So no grant is
 * under way when an invalidation leaves, and invalidations may take a tree instead of the direct link.
 */
import type { CoreId } from '@mk/monitor-proto/ids';
import { performAtomic } from './atomics.ts';
import type { PageError, PageMessage, PageMessageOf, Want } from './messages.ts';
import { moveStatistics, noStatistics, type PageReport, type PageStatistics } from './page-report.ts';

export interface DirectoryPort {
  readonly self: CoreId;
  /** Reliable and FIFO until the core is gone; to `self` too. */
  send(core: CoreId, message: PageMessage): void;
  /** Sends one invalidation to many cores; each answers the home, or several in one message. */
  invalidate(cores: readonly CoreId[], message: PageMessageOf<'page_invalidate'>): void;
  /** The page's bytes in the home's memory, to be read and written in place. */
  bytesOf(page: number): Uint8Array;
  /** Reports by name that the page is lost with the core that had it (M5). */
  lost(page: number, core: CoreId): void;
  /** Nobody holds the page any more, and it is zero: forget it. */
  forgotten(page: number): void;
}

interface Request {
  readonly from: CoreId;
  readonly request: number;
  readonly want: Want | 'update';
  readonly has: boolean;
  /** The change to the home's bytes once nobody holds a copy. */
  readonly update: Update | null;
}

/** `page_atomic` and `page_put` of a core, and this core's own reset of memory that becomes another object. */
type Update = PageMessageOf<'page_atomic' | 'page_put'> | Reset;

/** `gone`: the memory is free, and cores that asked for the page no longer map it. */
interface Reset {
  readonly type: 'reset';
  readonly gone: boolean;
  readonly done: () => void;
}

interface Transaction {
  readonly number: number;
  readonly request: Request;
  /** The cores whose answers are missing: recalled holders, then the requester. */
  readonly waiting: Set<CoreId>;
  phase: 'recall' | 'grant';
  /** The requester is gone: nothing is granted once the recall is over. */
  abandoned: boolean;
}

interface Entry {
  readonly page: number;
  /** The core that may write: its copy is the page; the home's memory is stale unless the home itself is the owner. */
  owner: CoreId | null;
  /** The cores that may read; a core that dropped its copy silently is still listed. */
  readonly sharers: Set<CoreId>;
  version: number;
  lost: boolean;
  readonly queue: Request[];
  transaction: Transaction | null;
  readonly statistics: PageStatistics;
}

export class Directory {
  /** What pages that are free again had counted. */
  readonly past = noStatistics();
  private readonly entries = new Map<number, Entry>();
  private nextTransaction = 1;

  constructor(private readonly port: DirectoryPort) {}

  /** Handles a core's message about a page of this home. An answer that nobody waits for is dropped, never asserted. */
  receive(from: CoreId, message: PageMessage): void {
    const { page } = message;
    switch (message.type) {
      case 'page_request':
        return this.enqueue(page, { from, ...message, update: null });
      case 'page_atomic':
      case 'page_put':
        return this.enqueue(page, { from, request: message.request, want: 'update', has: false, update: message });
      case 'page_granted':
        return this.answered(page, message.transaction, [from], 'grant');
      case 'page_invalidated':
        return this.invalidated(message);
      case 'page_data':
        return this.data(from, message);
      case 'page_writeback':
        return this.writeback(from, message);
      default:
        return undefined; // meant for holders
    }
  }

  /**
   * The memory of a page becomes another object: recalls all copies, zeroes its bytes, then calls `done`. Later
   * accesses see zeroes. A lost page becomes usable again, because its bytes have no meaning for the new object. The
   * page's record goes, unless somebody already waits for it.
   */
  reset(page: number, done: () => void, gone = false): void {
    if (!this.entries.has(page)) return done(); // not requested since it was zeroed
    const { self } = this.port;
    const update = { type: 'reset', gone, done } as const;
    return this.enqueue(page, { from: self, request: 0, want: 'update', has: false, update });
  }

  /** The memory of these pages is free: recalls copies, notifies waiting requesters, and keeps nothing. */
  forget(pages: Iterable<number>): void {
    for (const page of pages) this.reset(page, () => undefined, true);
  }

  /** Known pages in a range of page numbers. */
  pagesIn(first: number, count: number): number[] {
    return [...this.entries.keys()].filter((page) => page >= first && page < first + count);
  }

  /**
   * Answers on behalf of a core that is gone. Pages that only it held are reported lost; an old version is never handed
   * out.
   */
  peerGone(core: CoreId): void {
    for (const entry of this.entries.values()) {
      removeWhere(entry.queue, ({ from }) => from === core);
      entry.sharers.delete(core);
      if (entry.owner === core) {
        entry.owner = null;
        this.lose(entry, core);
      }
      const { transaction } = entry;
      if (transaction === null) continue;
      if (transaction.request.from === core) transaction.abandoned = true;
      this.answered(entry.page, transaction.number, [core], transaction.phase);
    }
  }

  report(page: number): PageReport | null {
    const entry = this.entries.get(page);
    return entry === undefined ? null : reportOf(entry);
  }

  reports(): PageReport[] {
    return [...this.entries.values()].map(reportOf);
  }

  /** Transactions in progress. */
  get leftovers(): readonly string[] {
    return [...this.entries.values()]
      .filter(({ transaction, queue }) => transaction !== null || queue.length > 0)
      .map(({ page }) => `page ${page.toString(16)} has an open transaction`);
  }

  /** M1 and the shape of an entry, as far as the home alone can tell; returns one sentence per breach. */
  invariants(): string[] {
    const broken: string[] = [];
    for (const { page, owner, sharers, transaction, lost, queue } of this.entries.values()) {
      const name = `page ${page.toString(16)}`;
      if (owner !== null && sharers.size > 0) broken.push(`M1: ${name} has owner ${owner} and sharers`);
      if (lost && owner !== null) broken.push(`M5: ${name} is lost and has an owner`);
      if (transaction === null && queue.length > 0) broken.push(`M4: ${name} has requests but no transaction`);
      if (transaction?.waiting.size === 0) broken.push(`M4: ${name} waits for nobody`);
    }
    return broken;
  }

  private enqueue(page: number, request: Request): void {
    const entry = this.entryOf(page);
    entry.queue.push(request);
    this.next(entry);
  }

  private entryOf(page: number): Entry {
    let entry = this.entries.get(page);
    if (entry === undefined) {
      const statistics = noStatistics();
      entry = {
        page,
        owner: null,
        sharers: new Set(),
        version: 0,
        lost: false,
        queue: [],
        transaction: null,
        statistics,
      };
      this.entries.set(page, entry);
    }
    return entry;
  }

  /** Starts transactions until one must wait. */
  private next(entry: Entry): void {
    while (entry.transaction === null) {
      const request = entry.queue.shift();
      if (request === undefined) return;
      if (entry.lost && request.update?.type !== 'reset') this.refuse(entry, request, 'PAGE_LOST');
      else this.begin(entry, request);
    }
  }

  private begin(entry: Entry, request: Request): void {
    const transaction: Transaction = {
      number: this.nextTransaction++,
      request,
      waiting: new Set(),
      phase: 'recall',
      abandoned: false,
    };
    entry.transaction = transaction;
    this.recall(entry, transaction);
    if (transaction.waiting.size === 0) this.recalled(entry, transaction);
  }

  private recall(entry: Entry, { number, request, waiting }: Transaction): void {
    const { page, owner, sharers, version, statistics } = entry;
    if (owner !== null) {
      if (owner === request.from && request.want !== 'update' && request.want !== 'snapshot') return;
      waiting.add(owner);
      const keep = keepsShared(request) ? 'shared' : 'invalid';
      return this.port.send(owner, { type: 'page_fetch', page, transaction: number, keep });
    }
    if (keepsShared(request)) return undefined;
    for (const core of sharers) if (core !== request.from || request.want === 'update') waiting.add(core);
    if (waiting.size === 0) return undefined;
    statistics.invalidations += waiting.size;
    this.port.invalidate([...waiting], { type: 'page_invalidate', page, transaction: number, version });
  }

  private invalidated({ page, transaction, cores }: PageMessageOf<'page_invalidated'>): void {
    const entry = this.entries.get(page);
    if (entry?.transaction?.number !== transaction) return;
    for (const core of cores) entry.sharers.delete(core);
    this.answered(page, transaction, cores, 'recall');
  }

  private data(from: CoreId, { page, transaction, version, held, data }: PageMessageOf<'page_data'>): void {
    const entry = this.entries.get(page);
    const open = entry?.transaction;
    if (entry === undefined || open?.number !== transaction || !open.waiting.has(from)) return;
    if (entry.owner === from) {
      entry.owner = null;
      // An owner that neither has the page nor wrote it back has lost it.
      if (!held || version !== entry.version) this.lose(entry, from);
      else if (data !== null) this.store(entry, data);
      if (held && keepsShared(open.request)) entry.sharers.add(from);
    }
    this.answered(page, transaction, [from], 'recall');
  }

  private lose(entry: Entry, core: CoreId): void {
    entry.lost = true;
    this.port.lost(entry.page, core);
  }

  /** Drops stale writebacks, from a core that no longer owns the page. */
  private writeback(from: CoreId, { page, version, data }: PageMessageOf<'page_writeback'>): void {
    const entry = this.entries.get(page);
    if (entry === undefined || entry.owner !== from || entry.version !== version) return;
    this.store(entry, data);
    entry.owner = null;
    entry.statistics.writebacks += 1;
  }

  private store(entry: Entry, data: Uint8Array): void {
    this.port.bytesOf(entry.page).set(data);
    entry.statistics.transfers += 1;
  }

  private answered(page: number, number: number, cores: readonly CoreId[], phase: Transaction['phase']): void {
    const entry = this.entries.get(page);
    const transaction = entry?.transaction;
    if (entry === undefined || transaction?.number !== number || transaction.phase !== phase) return;
    let awaited = false;
    for (const core of cores) awaited = transaction.waiting.delete(core) || awaited;
    if (!awaited || transaction.waiting.size > 0) return;
    if (phase === 'recall') this.recalled(entry, transaction);
    else this.end(entry);
  }

  private recalled(entry: Entry, transaction: Transaction): void {
    const { request, abandoned } = transaction;
    if (abandoned) return this.end(entry);
    const { update } = request;
    if (entry.lost && update?.type !== 'reset') {
      this.refuse(entry, request, 'PAGE_LOST');
      return this.end(entry);
    }
    if (update !== null) return this.update(entry, request, update);
    return this.grant(entry, transaction);
  }

  private update(entry: Entry, { from, request }: Request, update: Update): void {
    const { page } = entry;
    const bytes = this.port.bytesOf(page);
    entry.version += 1;
    if (update.type === 'page_atomic') {
      entry.statistics.atomics += 1;
      this.port.send(from, { type: 'page_atomic_reply', page, request, old: performAtomic(bytes, update.atomic) });
    } else if (update.type === 'page_put') {
      bytes.set(update.data.subarray(0, Math.max(0, bytes.length - update.offset)), update.offset);
      entry.statistics.writebacks += 1;
      this.port.send(from, { type: 'page_put_reply', page, request });
    } else {
      bytes.fill(0);
      entry.lost = false;
      if (update.gone) this.turnAway(entry);
      moveStatistics(entry.statistics, this.past);
      update.done();
    }
    this.end(entry);
    if (update.type === 'reset' && entry.transaction === null) this.drop(entry);
  }

  /** Refuses requests for memory that is now free, except those that turn it into another object. */
  private turnAway(entry: Entry): void {
    const waiting = entry.queue.splice(0);
    for (const request of waiting)
      if (request.update?.type === 'reset') entry.queue.push(request);
      else this.refuse(entry, request, 'PAGE_GONE');
  }

  private drop({ page, owner, sharers }: Entry): void {
    if (owner !== null || sharers.size > 0 || !this.entries.delete(page)) return;
    this.port.forgotten(page);
  }

  private grant(entry: Entry, transaction: Transaction): void {
    const { page, sharers, statistics } = entry;
    const { from, request, want, has } = transaction.request;
    const write = want === 'write';
    // A requester whose copy was invalidated since is no longer a sharer; an owner has the only bytes.
    const current = from === this.port.self || (has && sharers.has(from)) || entry.owner === from;
    if (write) {
      sharers.clear();
      entry.owner = from;
      entry.version += 1;
      statistics.writes += 1;
    } else {
      statistics.reads += 1;
      if (want === 'read' && entry.owner !== from) sharers.add(from);
    }
    const state = write || entry.owner === from ? 'modified' : want === 'read' ? 'shared' : 'invalid';
    const data = current && want !== 'snapshot' ? null : this.port.bytesOf(page).slice();
    if (data !== null) statistics.transfers += 1;
    transaction.phase = 'grant';
    transaction.waiting.add(from);
    const { number } = transaction;
    this.port.send(from, {
      type: 'page_grant',
      page,
      request,
      transaction: number,
      version: entry.version,
      state,
      data,
    });
  }

  private end(entry: Entry): void {
    entry.transaction = null;
    this.next(entry);
  }

  private refuse({ page }: Entry, { from, request }: Request, error: PageError): void {
    this.port.send(from, { type: 'page_refused', page, request, error });
  }
}

/** Whether a holder asked for the page may keep a readable copy. */
function keepsShared({ want }: Request): boolean {
  return want === 'read' || want === 'snapshot';
}

function reportOf({ page, owner, sharers, version, queue, lost, statistics }: Entry): PageReport {
  const state = owner !== null ? 'modified' : sharers.size > 0 ? 'shared' : 'invalid';
  return {
    page,
    state,
    owner,
    sharers: [...sharers].sort((a, b) => a - b),
    version,
    queued: queue.length,
    lost,
    statistics,
  };
}

function removeWhere<T>(list: T[], unwanted: (item: T) => boolean): void {
  for (let i = list.length - 1; i >= 0; i -= 1) if (unwanted(list[i]!)) list.splice(i, 1);
}

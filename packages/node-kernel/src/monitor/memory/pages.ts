/**
 * The pages of a core: its own, with their directory, and its copies of others' (coherence/directory.ts,
 * page-cache.ts). Connects the protocol to the rest of the kernel: messages on one lane, buffers shared with
 * dispatchers, peers that leave.
 */
import { assertInvariant } from '@mk/monitor-proto/assert';
import type { CorePeer, Peer } from '@mk/monitor-proto/endpoint/peer';
import { isCore } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import type { Range } from '../../capability/model/capability.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import type { Dispatchers } from '../../cpu-driver/dispatchers/dispatchers.ts';
import { afterAll } from '../../memory/after-all.ts';
import { addStatistics } from '../../memory/coherence/page-report.ts';
import { Directory } from '../../memory/coherence/directory.ts';
import type { PageMessage, PageMessageOf } from '../../memory/coherence/messages.ts';
import { PageCache } from '../../memory/coherence/page-cache.ts';
import { PageCopies } from '../../memory/page-copies.ts';
import type { Agreement } from '../agreement/agreement.ts';
import { decodeNumbers, encodeNumbers } from '../agreement/envelope.ts';
import { coreOf } from '../agreement/finished.ts';
import { untilActed, usualPlan } from '../agreement/until-acted.ts';
import type { MonitorContext } from '../context.ts';
import type { MessageHandlers, RoundActs, Service, Verbs } from '../service.ts';
import { decodePageMessage, encodePageMessage } from './page-wire.ts';

type PageWire = Parameters<typeof decodePageMessage>[0];

export class Pages implements Service {
  readonly copies: PageCopies;
  readonly cache: PageCache;
  readonly directory: Directory;
  /** This core's messages to itself: in order, and never nested. */
  private readonly own: PageMessage[] = [];
  private pumping = false;
  /** Copies of other cores' pages that this core keeps. */
  capacity = limit('pagesCached');
  private evictions = 0;
  /** Invalidations that took a tree. */
  private treeRounds = 0;
  /** Counts events that may have changed a page's state, for checkers that look at all cores. */
  touches = 0;
  /** Messages that a full queue refused, in order. */
  private readonly held = new Map<CoreId, Message[]>();

  readonly messages = {
    page_request: (from, message) => this.came(from, message),
    page_atomic: (from, message) => this.came(from, message),
    page_grant: (from, message) => this.came(from, message),
    page_granted: (from, message) => this.came(from, message),
    page_refused: (from, message) => this.came(from, message),
    page_atomic_reply: (from, message) => this.came(from, message),
    page_invalidate: (from, message) => this.came(from, message),
    page_invalidated: (from, message) => this.came(from, message),
    page_fetch: (from, message) => this.came(from, message),
    page_data: (from, message) => this.came(from, message),
    page_writeback: (from, message) => this.came(from, message),
    page_put: (from, message) => this.came(from, message),
    page_put_reply: (from, message) => this.came(from, message),
  } satisfies MessageHandlers;

  readonly verbs: Verbs = {
    pages: {
      args: ['address', 'bytes'],
      doc: 'The directory of a range of this core’s pages: state, owner, sharers, version, statistics.',
      run: (args) => {
        const address = args.whole('address', { min: 0, max: 2 ** 46, otherwise: 0 });
        const bytes = args.whole('bytes', { min: 1, max: 2 ** 46, otherwise: 2 ** 46 });
        const first = Math.floor(address / PAGE_BYTES);
        const last = Math.ceil((address + bytes) / PAGE_BYTES);
        return this.directory.reports().filter(({ page }) => page >= first && page < last);
      },
    },
  };

  readonly roundActions = {
    invalidate: (op, _phase, payload, now, vote) => {
      const [page, transaction] = decodeNumbers(payload) ?? [];
      if (page === undefined || transaction === undefined || !this.driver.booted) return vote('BAD_REQUEST', now);
      // As for `page_invalidate`: only a page's home recalls it.
      if (this.homeOf(page) !== coreOf(op)) return vote('BAD_REQUEST', now);
      this.into(({ cache }) => cache.invalidate(page, transaction, () => vote(null, Math.max(now, this.context.now))));
    },
  } satisfies RoundActs;

  constructor(
    private readonly context: MonitorContext,
    private readonly driver: CpuDriver,
    private readonly agreement: Agreement,
    dispatchers: Dispatchers,
  ) {
    this.copies = new PageCopies({
      inTurn: () => dispatchers.all().some(({ disabled, state }) => disabled || state === 'stopping'),
      keeps: (page) => this.directory.report(page) !== null,
    });
    const send = (core: CoreId, message: PageMessage): void => this.send(core, message);
    const bytesOf = (page: number): Uint8Array => this.copies.bytesOf(page);
    const { context: of } = this;
    this.directory = new Directory({
      get self() {
        return of.core;
      },
      send,
      invalidate: (cores, message) => this.invalidate(cores, message),
      bytesOf,
      lost: (page, peer) => of.outbox.log('page_lost', { peer, address: page * PAGE_BYTES }),
      forgotten: (page) => this.copies.forgotten(page),
    });
    this.cache = new PageCache({
      get self() {
        return of.core;
      },
      homeOf: (page) => this.homeOf(page),
      isMet: (core) => of.monitors.has(core),
      send,
      bytesOf,
      setState: (page, state) => this.copies.setState(page, state),
      quiesce: (page, done) => this.copies.quiesce(page, done),
    });
  }

  /** The core that contributes the memory of a page. */
  homeOf(page: number): CoreId {
    return this.driver.state.homeOf(page * PAGE_BYTES);
  }

  /** Calls into the protocol or the copies, then delivers this core's messages to itself. */
  into(work: (pages: this) => void): void {
    work(this);
    this.pump();
  }

  private pump(): void {
    if (this.pumping) return;
    this.touches += 1;
    this.pumping = true;
    for (let next = this.own.shift(); next !== undefined; next = this.own.shift())
      this.receive(this.context.core, next);
    if (this.cache.foreign > this.capacity) this.evictions += this.cache.makeRoom(this.capacity);
    this.pumping = false;
    this.copies.sweep();
  }

  turnOver(dispatcher: number, turn: number): void {
    this.into(({ copies }) => copies.turnOver(dispatcher, turn));
  }

  /** This core's memory has become another object; `done` when it reads as zero everywhere. */
  reset({ address, size }: Range, done: () => void): void {
    const pages = this.directory.pagesIn(Math.floor(address / PAGE_BYTES), Math.ceil(size / PAGE_BYTES));
    this.into(({ directory }) => afterAll(pages, (page, over) => directory.reset(page, over), done));
  }

  /** This core's memory is free: nothing of its pages is kept, on any core. */
  forget({ address, size }: Range): void {
    const pages = this.directory.pagesIn(Math.floor(address / PAGE_BYTES), Math.ceil(size / PAGE_BYTES));
    if (pages.length > 0) this.into(({ directory }) => directory.forget(pages));
  }

  /**
   * Refuses a core's requests for a page that is no longer this core's. No honest core asks for more at a time than
   * faults can wait.
   */
  turnAway(core: CoreId, { page, request }: { readonly page: number; readonly request: number }): void {
    if ((this.held.get(core)?.length ?? 0) >= limit('faultsWaiting')) return;
    this.send(core, { type: 'page_refused', page, request, error: 'PAGE_GONE' });
  }

  viewChanged(): void {
    for (const core of this.context.members) this.cache.homeBack(core);
  }

  peerGone({ id }: Peer): void {
    if (!isCore(id) || !this.driver.booted) return;
    this.held.delete(id);
    this.directory.peerGone(id);
    this.cache.homeGone(id);
    this.pump();
  }

  sendable({ id }: Peer): void {
    if (!isCore(id)) return;
    const waiting = this.held.get(id);
    if (waiting === undefined) return;
    while (waiting.length > 0) {
      if (this.context.send(id, waiting[0]!) === 'BUSY') return;
      waiting.shift();
    }
    this.held.delete(id);
  }

  metrics(): readonly MetricFamily[] {
    if (!this.driver.booted) return [];
    const sums = { ...this.directory.past };
    for (const { statistics } of this.directory.reports()) addStatistics(sums, statistics);
    return [
      {
        name: 'mk_page_events_total',
        type: 'counter',
        help: 'Coherence events of this core’s pages, by kind.',
        samples: Object.entries(sums).map(([kind, value]) => ({ labels: { kind }, value })),
      },
      {
        name: 'mk_page_invalidation_rounds_total',
        type: 'counter',
        help: 'Invalidations that went to many sharers by the tree of a round.',
        samples: [{ value: this.treeRounds }],
      },
      {
        name: 'mk_pages_cached',
        type: 'gauge',
        help: 'Copies of other cores’ pages.',
        samples: [{ value: this.cache.foreign }],
      },
      {
        name: 'mk_page_evictions_total',
        type: 'counter',
        help: 'Copies of other cores’ pages given up because there were too many.',
        samples: [{ value: this.evictions }],
      },
      {
        name: 'mk_page_relocations_total',
        type: 'counter',
        help: 'Pages whose bytes moved to a fresh buffer because a dispatcher still held the old one.',
        samples: [{ value: this.copies.relocations }],
      },
    ];
  }

  leftovers(): readonly string[] {
    return [...this.directory.leftovers, ...this.cache.leftovers, ...this.copies.leftovers];
  }

  invariants(): void {
    if (!this.driver.booted) return;
    const broken = [...this.directory.invariants(), ...this.cache.invariants(), ...this.copies.invariants()];
    for (const text of broken) assertInvariant(text.slice(0, 2) as 'M1', false, () => text);
  }

  /** Sends to a few sharers one by one; to many by the tree of a round, which ends when each has acted or is gone. */
  private invalidate(cores: readonly CoreId[], message: PageMessageOf<'page_invalidate'>): void {
    const { context, agreement } = this;
    const others = cores.filter((core) => core !== context.core);
    if (usualPlan(others.length) === 'unicast') return cores.forEach((core) => this.send(core, message));
    if (others.length < cores.length) this.send(context.core, message);
    const { page, transaction } = message;
    const op = context.operations.nextId();
    const spec = {
      op,
      action: 'invalidate',
      payload: encodeNumbers([page, transaction]),
      kind: usualPlan(others.length),
    } as const;
    this.treeRounds += 1;
    context.operations.start(
      op,
      untilActed(context, agreement, spec, others),
      context.now,
      () =>
        this.into(({ directory }) =>
          directory.receive(context.core, { type: 'page_invalidated', page, transaction, cores: others }),
        ),
      true,
    );
  }

  private send(core: CoreId, message: PageMessage): void {
    if (core === this.context.core) return void this.own.push(message);
    const wire = encodePageMessage(message);
    const waiting = this.held.get(core);
    if (waiting !== undefined) return void waiting.push(wire);
    if (this.context.send(core, wire) === 'BUSY') this.held.set(core, [wire]);
  }

  private came(from: CorePeer, wire: PageWire): void {
    const message = decodePageMessage(wire);
    if (message === null || !this.driver.booted) return;
    this.receive(from.id, message);
    this.pump();
  }

  /** Hands a message to the half that it concerns. */
  private receive(from: CoreId, message: PageMessage): void {
    if (this.homeOf(message.page) === this.context.core) this.directory.receive(from, message);
    this.cache.receive(from, message);
  }
}

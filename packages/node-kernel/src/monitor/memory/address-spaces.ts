/**
 * The address spaces of domains. A space is page tables made of capabilities, at the domain's home; every core on which
 * a dispatcher of the domain runs caches translations and asks the home for missing ones. A fault is a system call,
 * answered with the page once this core may use it accordingly; the coherence protocol (pages.ts) waits for the page.
 *
 *   VS1  a translation is used only if the home's tables had it in the latest epoch that the core knows;
 *   V2   when an unmap, a protect or a revoke has returned, no core can use the old translation (with M6).
 */
import { assertInvariant } from '@mk/monitor-proto/assert';
import type { CorePeer, Peer } from '@mk/monitor-proto/endpoint/peer';
import { ERRORS } from '@mk/monitor-proto/errors';
import { type CoreId, isCore, type Nanos } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import { ACCESS, PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { lookup } from '../../capability/store/cspace.ts';
import type { Change } from '../../capability/model/changes.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import type { Dispatchers } from '../../cpu-driver/dispatchers/dispatchers.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import { afterAll } from '../../memory/after-all.ts';
import { AddressSpace, type PageRange, type PageTranslation } from '../../memory/address-space.ts';
import { Translations } from '../../memory/translations.ts';
import type { Agreement } from '../agreement/agreement.ts';
import { PLAN_KINDS, type PlanKind } from '../agreement/plan.ts';
import { Exchange } from '../capops/exchange.ts';
import type { MonitorContext } from '../context.ts';
import { OperationError } from '../operations.ts';
import type { MessageHandlers, RoundActs, Service, SystemCallHandlers, Verbs } from '../service.ts';
import { Faults } from './faults.ts';
import type { Pages } from './pages.ts';
import { coreOf } from '../agreement/finished.ts';
import { decodeTaken, Shootdowns } from './shootdowns.ts';

export interface AddressSpacesPort {
  readonly context: MonitorContext;
  readonly driver: CpuDriver;
  readonly agreement: Agreement;
  readonly dispatchers: Dispatchers;
  readonly pages: Pages;
  /** Whether dispatchers share memory with this process. */
  readonly sharesMemory: boolean;
  /** The domain of a dispatcher, and the core where it began. */
  readonly domainOf: (caller: Domain) => { readonly domain: string; readonly home: CoreId };
}

export class AddressSpaces implements Service {
  /** Of domains whose home is here. */
  private readonly spaces = new Map<string, AddressSpace>();
  /** Translations that this core caches, of its own domains' spaces too. */
  readonly translations = new Translations();
  readonly shootdowns: Shootdowns;
  /** Cores that were given a translation in their present life. */
  private readonly told = new Set<CoreId>();
  private readonly exchange: Exchange;
  private plan: PlanKind | 'auto' = 'auto';
  readonly faults: Faults;

  readonly messages = {
    translate_request: (from, request, now) => this.onTranslate(from, request, now),
    translate_reply: (from, reply, now) => this.exchange.answered(from.id, reply, now),
    page_reset: (from, { op, address, size }, now) => this.onReset(from.id, op, { address, size }, now),
    page_reset_done: (from, reply, now) => this.exchange.answered(from.id, reply, now),
  } satisfies MessageHandlers;

  readonly roundActions = {
    // Each core reports how long it waited for its dispatchers, for measurements.
    unmap: (op, _phase, payload, now, vote) => {
      const taken = decodeTaken(payload);
      // Only the core where a domain began changes its tables.
      if (taken === null || coreOf(taken.domain) !== coreOf(op)) return vote('BAD_REQUEST', now);
      const { domain, epoch, ranges } = taken;
      const pages = this.translations.drop(domain, epoch, ranges);
      const quiet = (): void => vote(null, this.port.context.now, [this.port.context.now - now]);
      this.port.pages.into(({ copies }) => afterAll(pages, (page, over) => copies.relocate(page, over), quiet));
    },
  } satisfies RoundActs;

  readonly systemCalls;
  private readonly ownCalls = {
    vspace_root: (caller, { root }, now, done) => done({ ok: true, value: this.setRoot(caller, root.address) }, now),
  } satisfies SystemCallHandlers;

  readonly verbs: Verbs = {
    vspaces: {
      args: ['domain'],
      doc: 'The address spaces of domains that began here: their mappings with rights, and who holds translations.',
      run: (args) => {
        const wanted = args.texts('domain');
        return [...this.spaces.values()]
          .filter(({ domain }) => wanted.length === 0 || wanted.includes(domain))
          .map((space) => this.reportOf(space));
      },
    },
    unmap_plan: {
      args: ['plan'],
      doc: 'The plan by which this core’s unmaps reach others: auto, or one of the four; and how its last rounds went.',
      run: (args) => {
        this.plan = args.oneOf('plan', ['auto', ...PLAN_KINDS] as const, this.plan);
        return { plan: this.plan, rounds: this.shootdowns.rounds, last: this.shootdowns.last };
      },
    },
  };

  constructor(private readonly port: AddressSpacesPort) {
    this.exchange = new Exchange(port.context);
    const { translations, exchange } = this;
    this.faults = new Faults({ ...port, translations, exchange, fill: (domain, page) => this.fill(domain, page) });
    this.systemCalls = { ...this.ownCalls, ...this.faults.systemCalls };
    this.shootdowns = new Shootdowns(port.context, port.agreement, () => this.plan);
  }

  /** Calls `goOn` when nothing taken away on this core so far can be used any more, on any core. */
  whenSettled(goOn: (now: Nanos) => void): void {
    const { driver } = this.port;
    this.shootdowns.whenSettled(driver.booted && driver.state.changes.concernsPages, goOn);
  }

  /** Whether a core was ever given the translation of a page of this core's domains. */
  hasTold(core: CoreId): boolean {
    return this.told.has(core);
  }

  /** Whether an invocation may take translations away, so that its answer may have to wait for other cores. */
  mayTake({ invocation }: Readonly<Record<string, unknown>>): boolean {
    const { operation } = invocation as { readonly operation: string };
    if (operation === 'unmap' || operation === 'protect') return true;
    return this.spaces.size > 0 && (operation === 'delete' || operation === 'revoke');
  }

  capabilityChanged(changes: readonly Change[], now: Nanos): void {
    const taken = new Map<AddressSpace, PageRange[]>();
    for (const change of changes) {
      if (change.kind === 'unmapped') this.noteTaken(taken, change.run);
      else if (change.kind === 'protected')
        this.noteTaken(taken, { ...change.run, first: change.run.first + change.from, count: change.count });
      else if (change.kind === 'zeroed') this.zero(change, now);
      else if (change.kind === 'freed') this.port.pages.forget(change);
    }
    for (const [space, ranges] of taken) this.take(space, ranges);
    this.shootdowns.allTold();
  }

  dispatcherGone(caller: Domain): void {
    const { domain, home } = this.port.domainOf(caller);
    this.translations.forget(domain);
    if (home === this.port.context.core) this.spaces.delete(domain);
    this.port.pages.into(({ copies }) => copies.dispatcherGone(caller.id));
  }

  peerGone({ id }: Peer, now: Nanos): void {
    if (!isCore(id)) return;
    this.told.delete(id);
    this.exchange.peerGone(id, now);
    for (const space of this.spaces.values()) space.coreGone(id);
  }

  leftovers(): readonly string[] {
    const rows = this.shootdowns.size > 0 ? [`${this.shootdowns.size} unmaps under way`] : [];
    return this.faults.waiting > 0 ? [...rows, `${this.faults.waiting} page faults wait`] : rows;
  }

  /** VS1 for this core's own domains: its translations match the tables, except while they are being taken away. */
  invariants(): void {
    if (!this.port.driver.booted || this.shootdowns.size > 0 || this.port.driver.changed) return;
    for (const space of this.spaces.values())
      for (const [page, { physical, rights }] of this.translations.of(space.domain)) {
        const now = space.translate(this.port.driver.state.pageTables, page);
        assertInvariant(
          'VS1',
          now?.physical === physical && now.rights === rights,
          () => `domain ${space.domain} has a translation of page ${page.toString(16)} that its tables do not have`,
        );
      }
  }

  metrics(): readonly MetricFamily[] {
    return [
      { name: 'mk_page_faults_total', type: 'counter', help: 'Page faults.', samples: [{ value: this.faults.count }] },
      {
        name: 'mk_unmap_rounds_total',
        type: 'counter',
        help: 'Rounds that removed translations.',
        samples: [{ value: this.shootdowns.rounds }],
      },
    ];
  }

  /** The spaces of domains that began here, for checkers. */
  all(): IterableIterator<AddressSpace> {
    return this.spaces.values();
  }

  /** Whether this core has any part in address spaces. */
  get touched(): boolean {
    return this.spaces.size > 0;
  }

  // System calls.

  private setRoot(caller: Domain, address: number): null {
    const { driver, context } = this.port;
    const { domain, home } = this.port.domainOf(caller);
    if (home !== context.core) throw new OperationError('NOT_AT_HOME', `the domain began on core ${home}`);
    const found = lookup(driver.state, caller.root, { address });
    if (!found.ok) throw new OperationError(found.error, 'the root table');
    const { capability } = found.value;
    if (capability.type !== 'VNode_L0') throw new OperationError('NOT_A_PAGE_TABLE', 'a root table is a VNode_L0');
    if (this.spaces.has(domain)) throw new OperationError('SLOT_IN_USE', 'the domain has an address space');
    this.spaces.set(domain, new AddressSpace(domain, capability.address));
    return null;
  }

  // The home's side.

  private fill(domain: string, page: number): PageTranslation | null {
    const space = this.spaces.get(domain);
    if (space === undefined) throw new OperationError('NO_ADDRESS_SPACE', 'the domain has set no root table');
    const found = space.translate(this.port.driver.state.pageTables, page);
    if (found === null) return null;
    space.hold(page, this.port.context.core);
    return this.translations.keep(domain, space.epoch, page, found);
  }

  private onTranslate({ id }: CorePeer, { op, domain, page }: MessageOf<'translate_request'>, now: Nanos): void {
    const space = this.spaces.get(domain);
    const found = space?.translate(this.port.driver.state.pageTables, page) ?? null;
    if (space !== undefined && found !== null) {
      space.hold(page, id);
      this.told.add(id);
    }
    const error = space === undefined ? 'NO_ADDRESS_SPACE' : found === null ? 'PAGE_FAULT' : null;
    const reply = {
      type: 'translate_reply',
      op,
      error: error === null ? 0 : ERRORS[error].code,
      epoch: space?.epoch ?? 0,
      physical: found?.physical ?? 0,
      rights: found === null ? 0 : found.rights & (ACCESS.read | ACCESS.write | ACCESS.execute),
      entry: found?.entryBytes ?? 0,
    } as const;
    this.exchange.tell(id, reply, now);
  }

  private noteTaken(taken: Map<AddressSpace, PageRange[]>, run: Parameters<AddressSpace['pagesOf']>[1]): void {
    for (const space of this.spaces.values()) {
      const range = space.pagesOf(this.port.driver.state.pageTables, run);
      if (range === null) continue;
      const ranges = taken.get(space);
      if (ranges === undefined) taken.set(space, [range]);
      else ranges.push(range);
    }
  }

  private take(space: AddressSpace, ranges: readonly PageRange[]): void {
    space.epoch += 1;
    const holders = new Set(ranges.flatMap((range) => space.holdersOf(range)));
    if (holders.size === 0) return;
    const { domain, epoch } = space;
    for (const range of ranges) space.forget(range);
    this.shootdowns.begin({ domain, epoch, ranges }, [...holders], () => undefined);
  }

  /** Memory has become an object: the core that contributes it makes sure that nobody reads the old contents. */
  private zero({ address, size }: { readonly address: number; readonly size: number }, now: Nanos): void {
    const { pages, driver, context } = this.port;
    const home = driver.state.homeOf(address);
    const token = this.shootdowns.hold();
    const over = (): void => this.shootdowns.release(token);
    if (home === context.core) return pages.reset({ address, size }, over);
    const { operations } = context;
    const op = operations.nextId();
    operations.start(
      op,
      this.exchange.ask(home, { type: 'page_reset', op, address, size }, 'page_reset_done'),
      now,
      over,
      true,
    );
  }

  private onReset(
    from: CoreId,
    op: string,
    range: { readonly address: number; readonly size: number },
    now: Nanos,
  ): void {
    this.port.pages.reset(range, () =>
      this.exchange.tell(from, { type: 'page_reset_done', op }, Math.max(now, this.port.context.now)),
    );
  }

  /**
   * A reset of memory that has since been reused or freed: it was zeroed long ago and must not be touched. The
   * requester no longer waits.
   */
  turnAwayReset(core: CoreId, op: string, now: Nanos): void {
    this.exchange.tell(core, { type: 'page_reset_done', op }, now);
  }

  private reportOf(space: AddressSpace) {
    const runs = [...this.port.driver.state.pageTables.runsBelow(space.root)].map(({ virtual, run }) => {
      const range = space.pagesOf(this.port.driver.state.pageTables, run)!;
      const { address } = run.object;
      return {
        virtual,
        bytes: range.count * PAGE_BYTES,
        page_bytes: (range.count * PAGE_BYTES) / run.count,
        frame: address,
        offset: run.offset,
        rights: [...new Set(run.rights)],
        holders: space.holdersOf(range),
      };
    });
    return { domain: space.domain, root: space.root, epoch: space.epoch, mapped: runs };
  }
}

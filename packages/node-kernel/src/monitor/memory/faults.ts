/**
 * Page faults: makes an access of a dispatcher possible. The core has the translation, or asks the domain's home for
 * it; the page comes by the coherence protocol; the answer names the shared memory that accompanies it.
 */
import type { PlainValue } from '@mk/libmk/dispatcher/plain-value';
import { ACCESS, type AccessKind, PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { ERRORS, errorOfCode } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Dispatcher } from '../../cpu-driver/dispatchers/dispatcher.ts';
import type { Dispatchers } from '../../cpu-driver/dispatchers/dispatchers.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { SystemCallDone } from '../../cpu-driver/system-calls.ts';
import type { PageTranslation } from '../../memory/address-space.ts';
import type { AtomicRequest, PageError } from '../../memory/coherence/messages.ts';
import type { Translations } from '../../memory/translations.ts';
import type { Exchange } from '../capops/exchange.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, wait } from '../operations.ts';
import type { SystemCallHandlers } from '../service.ts';
import { ATOMIC_OPERATIONS } from './page-wire.ts';
import type { Pages } from './pages.ts';

export interface FaultsPort {
  readonly context: MonitorContext;
  readonly dispatchers: Dispatchers;
  readonly pages: Pages;
  readonly exchange: Exchange;
  readonly translations: Translations;
  /** Whether dispatchers share memory with this process. */
  readonly sharesMemory: boolean;
  /** The domain of a dispatcher, and the core where it began. */
  readonly domainOf: (caller: Domain) => { readonly domain: string; readonly home: CoreId };
  /** Translates a page of a domain that began here; this core holds the translation from then on. */
  readonly fill: (domain: string, page: number) => PageTranslation | null;
}

/** A fault that this core can now answer. */
interface Ready {
  readonly physical: number;
  readonly rights: number;
}

export class Faults {
  /** Faults so far. */
  count = 0;
  /** Calls waiting for a page or a translation. */
  waiting = 0;

  readonly systemCalls = {
    page_fault: (caller, { address, access }, now, done) => this.fault(caller, address, access, now, done),
    memory_atomic: (caller, { address, request }, now, done) => this.atomic(caller, address, request, now, done),
    memory_put: (caller, { address, data }, now, done) => this.put(caller, address, data, now, done),
    vspace_lookup: (caller, { address }, now, done) => this.look(caller, address, now, done),
  } satisfies SystemCallHandlers;

  constructor(private readonly port: FaultsPort) {}

  private fault(caller: Domain, address: number, access: string, now: Nanos, done: SystemCallDone): void {
    if (access !== 'read' && access !== 'write' && access !== 'snapshot')
      throw new OperationError('BAD_SYSTEM_CALL', 'an access is read, write or snapshot');
    const { copies } = this.port.pages;
    this.count += 1;
    const answer = (ready: Ready, dispatcher: Dispatcher): PlainValue => {
      const turn = dispatcher.turns + 1;
      const frame = dispatcher.hand(copies.hand(ready.physical, dispatcher.id, turn));
      return { frame, rights: ready.rights };
    };
    if (access === 'snapshot')
      return this.run(caller, now, done, (dispatcher) => this.snapshot(caller, dispatcher, address));
    const dispatcher = this.admit(caller);
    const work = (): Operation<PlainValue> =>
      this.access(caller, address, access, (ready) => answer(ready, dispatcher));
    const { domain } = this.port.domainOf(caller);
    const found = this.port.translations.get(domain, Math.floor(address / PAGE_BYTES));
    if (found === undefined || (found.rights & ACCESS[access]) === 0) return this.begin(work(), now, done);
    this.waiting += 1;
    this.port.pages.into(({ cache }) =>
      cache.access(found.physical, access, (error) => {
        this.waiting -= 1;
        const at = Math.max(now, this.port.context.now);
        if (error !== null) return done({ ok: false, error, text: ERRORS[error].doc }, at);
        if (this.isStill(domain, address, found)) return done({ ok: true, value: answer(found, dispatcher) }, at);
        this.begin(work(), at, done);
      }),
    );
  }

  /** The mapping changed while the access waited: look it up again. */
  private isStill(domain: string, address: number, found: PageTranslation): boolean {
    return this.port.translations.get(domain, Math.floor(address / PAGE_BYTES)) === found;
  }

  private atomic(caller: Domain, address: number, request: unknown, now: Nanos, done: SystemCallDone): void {
    const { operation, operand, expected } = atomicOf(request);
    if (address % 8 !== 0)
      throw new OperationError('MISALIGNED', 'an atomic operation is on 8 bytes at a multiple of 8');
    const atomic = { operation, offset: address % PAGE_BYTES, operand, expected };
    this.run(caller, now, done, () => this.atHome(caller, address, atomic));
  }

  private *atHome(caller: Domain, address: number, atomic: AtomicRequest): Operation<PlainValue> {
    const { physical } = yield* this.translated(caller, address, 'write');
    return String(yield* this.asked<bigint>(({ cache }, resume) => cache.atomic(physical, atomic, resume)));
  }

  private put(caller: Domain, address: number, data: Uint8Array, now: Nanos, done: SystemCallDone): void {
    const offset = address % PAGE_BYTES;
    if (offset + data.length > PAGE_BYTES) throw new OperationError('BAD_SYSTEM_CALL', 'the bytes of one page');
    const bytes = data.slice();
    this.run(caller, now, done, () => this.putting(caller, address, bytes));
  }

  private *putting(caller: Domain, address: number, bytes: Uint8Array): Operation<PlainValue> {
    const { physical } = yield* this.translated(caller, address, 'write');
    yield* this.asked<undefined>(({ cache }, resume) =>
      cache.put(physical, address % PAGE_BYTES, bytes, (error) => resume(error, undefined)),
    );
    return null;
  }

  private look(caller: Domain, address: number, now: Nanos, done: SystemCallDone): void {
    this.run(caller, now, done, () => this.found(caller, address), false);
  }

  private *found(caller: Domain, address: number): Operation<PlainValue> {
    const found = yield* this.translate(caller, Math.floor(address / PAGE_BYTES));
    if (found === null) return null;
    const { physical, rights, entryBytes } = found;
    return { address: physical * PAGE_BYTES + (address % PAGE_BYTES), rights, page_bytes: entryBytes };
  }

  private run(
    caller: Domain,
    now: Nanos,
    done: SystemCallDone,
    work: (dispatcher: Dispatcher) => Operation<PlainValue>,
    needsMemory = true,
  ): void {
    const dispatcher = this.admit(caller, needsMemory);
    this.begin(work(dispatcher), now, done);
  }

  /** The caller's dispatcher, if its call can be served. */
  private admit(caller: Domain, needsMemory = true): Dispatcher {
    const { dispatchers, sharesMemory } = this.port;
    const dispatcher = dispatchers.get(caller.id);
    if (dispatcher === undefined) throw new OperationError('NO_SUCH_DOMAIN', 'the caller has no dispatcher');
    if (needsMemory && !sharesMemory) throw new OperationError('MEMORY_NOT_SHARED', ERRORS.MEMORY_NOT_SHARED.doc);
    if (this.waiting >= limit('faultsWaiting')) throw new OperationError('BUSY', 'too many faults wait on this core');
    return dispatcher;
  }

  private begin(work: Operation<PlainValue>, now: Nanos, done: SystemCallDone): void {
    const { context, pages } = this.port;
    this.waiting += 1;
    const { operations } = context;
    const ended: Parameters<typeof operations.start>[3] = (outcome, at) => {
      this.waiting -= 1;
      const { ok } = outcome;
      done(ok ? { ok, value: outcome.value } : { ok, error: outcome.error, text: outcome.text }, at);
    };
    pages.into(() => operations.start(operations.nextId(), work, now, ended, true));
  }

  /**
   * Makes an access possible and answers while it is: calls `answer` in the very step in which the page came, before
   * anything can take it away (M4).
   */
  private *access(
    caller: Domain,
    address: number,
    access: AccessKind,
    answer: (ready: Ready) => PlainValue,
  ): Operation<PlainValue> {
    const { domain } = this.port.domainOf(caller);
    for (;;) {
      const found = yield* this.translated(caller, address, access);
      const value = yield* this.asked<PlainValue | undefined>(({ cache }, resume) =>
        cache.access(found.physical, access, (error) => {
          if (error !== null) return resume(error, undefined);
          resume(null, this.isStill(domain, address, found) ? answer(found) : undefined);
        }),
      );
      if (value !== undefined) return value;
    }
  }

  private *snapshot(caller: Domain, dispatcher: Dispatcher, address: number): Operation<PlainValue> {
    const { domain } = this.port.domainOf(caller);
    for (;;) {
      const found = yield* this.translated(caller, address, 'read');
      const bytes = yield* this.asked<Uint8Array>(({ cache }, resume) => cache.snapshot(found.physical, resume));
      if (!this.isStill(domain, address, found)) continue;
      const frame = dispatcher.hand(this.port.translations.privateView(domain, address, bytes));
      return { frame, rights: found.rights };
    }
  }

  /** The translation of an address with the right for an access; PAGE_FAULT says what is missing. */
  private *translated(caller: Domain, address: number, access: AccessKind): Operation<PageTranslation> {
    const found = yield* this.translate(caller, Math.floor(address / PAGE_BYTES));
    const at = `0x${address.toString(16)}`;
    if (found === null) throw new OperationError('PAGE_FAULT', `${access} at ${at}: nothing is mapped there`);
    if ((found.rights & ACCESS[access]) === 0)
      throw new OperationError('PAGE_FAULT', `${access} at ${at}: mapped without the right to ${access}`);
    return found;
  }

  private *translate(caller: Domain, page: number): Operation<PageTranslation | null> {
    const { core } = this.port.context;
    const { domain, home } = this.port.domainOf(caller);
    const known = this.port.translations.get(domain, page);
    if (known !== undefined) return known;
    if (home === core) return this.port.fill(domain, page);
    for (;;) {
      const op = this.port.context.operations.nextId();
      const reply = yield* this.port.exchange.ask(
        home,
        { type: 'translate_request', op, domain, page },
        'translate_reply',
      );
      const { error, epoch, physical, rights, entry } = reply;
      // A page handed to a dead dispatcher would stay pinned for ever, and its home could not recall it.
      if (this.port.dispatchers.get(caller.id) === undefined)
        throw new OperationError('NO_SUCH_DOMAIN', 'the caller has ended meanwhile');
      if (!this.port.translations.isCurrent(domain, epoch)) continue; // older than a removal
      if (error === ERRORS.PAGE_FAULT.code) return null;
      if (error !== 0) throw new OperationError(errorOfCode(error) ?? 'BAD_REQUEST', `core ${home} has no such space`);
      return this.port.translations.keep(domain, epoch, page, { physical, rights, entryBytes: entry });
    }
  }

  private *asked<T>(ask: (pages: Pages, resume: (error: PageError | null, value: T) => void) => void): Operation<T> {
    return yield* wait<T>({
      arm: (resume, now) => {
        const answer = (error: PageError | null, value: T): void => {
          const failed = error === null ? null : new OperationError(error, ERRORS[error].doc);
          resume(failed ?? value, Math.max(now, this.port.context.now));
        };
        this.port.pages.into((pages) => ask(pages, answer));
        return () => undefined;
      },
    });
  }
}

function atomicOf(request: unknown): Omit<AtomicRequest, 'offset'> {
  const { operation, operand, expected } = (request ?? {}) as Readonly<Record<string, unknown>>;
  const known = ATOMIC_OPERATIONS.find((name) => name === operation);
  if (known === undefined || !isWord(operand) || !isWord(expected))
    throw new OperationError(
      'BAD_SYSTEM_CALL',
      `an atomic operation is one of ${ATOMIC_OPERATIONS.join(', ')} on texts of 64-bit numbers`,
    );
  return { operation: known, operand: BigInt(operand), expected: BigInt(expected) };
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,20}$/.test(value);
}

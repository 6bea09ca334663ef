import { isRecord, isWhole } from '@mk/monitor-proto/guards';
import { assertInvariant, known } from '@mk/monitor-proto/assert';
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { type Capability, describeCapability, type Range } from '../../capability/model/capability.ts';
import type { ReclaimCandidate } from '../../capability/model/changes.ts';
import type { LocalCapabilities } from '../../capability/store/local-capabilities.ts';
import { REMOTE } from '../../capability/store/copy-group.ts';
import { typeRow } from '../../capability/model/types.ts';
import { findOwned, isSendable, unlockGroup } from '../../capability/global/monitor-primitives.ts';
import { type CopyGroup, isInDelete, type Slot } from '../../capability/store/slot.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import type { Agreement } from '../agreement/agreement.ts';
import { Multicasts } from '../agreement/multicast.ts';
import { unanswered } from '../agreement/phase.ts';
import { logSilence } from '../agreement/silence.ts';
import type { Seals } from '../agreement/seals.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, type Outcome } from '../operations.ts';
import { ByInitiator, CoreCounts } from './by-core.ts';
import { errorIn, Exchange } from './exchange.ts';
import { Given } from './given.ts';
import { Handovers } from './handovers.ts';
import { CAPABILITY_PAYLOAD, type CapabilityPayload } from './payload.ts';
import { CapabilityReceivers } from './receivers.ts';
import { type Asked, Subscribers } from './subscribers.ts';
import { Transits, WaitQueue } from './waiting.ts';

/** The range of another core's agreed retype, where nothing new may appear meanwhile. */
export interface RetypeGuard {
  readonly source: Capability;
  readonly range: Range;
}

/** Operations that a caller asked for are logged at info level when they end; the others only at debug level. */
const FOR_CALLERS: ReadonlySet<string> = new Set(['send', 'retype', 'revoke', 'delete', 'retrieve']);

const ARRIVALS_MOST = limit('arrivalsPerSender');

type Done<T> = (outcome: Outcome<T>, now: Nanos) => void;

/** Capability operations' view of their neighbours. */
export interface CapopsPort {
  readonly context: MonitorContext;
  readonly driver: CpuDriver;
  readonly agreement: Agreement;
  readonly seals: Seals;
  /** Memory that lost a capability since the last call, which the caller must reclaim. */
  readonly takeFreed: () => readonly ReclaimCandidate[];
  /** Called with the domain that a revoke asks for consent. */
  readonly asked: Asked;
  /** Calls back when no translation taken away on this core can be used any more, on any core (V2). */
  readonly whenSettled: (goOn: (now: Nanos) => void) => void;
}

/**
 * State shared by the capability operations between cores, each of which has a file of its own. A group locked here is
 * locked by exactly one operation, which unlocks it.
 */
export class CapopsContext {
  readonly exchange: Exchange;
  /** Locks, transits, frozen slots and deletion: notify after each change of any. */
  readonly changes: WaitQueue;
  readonly transits: Transits;
  readonly subscribers: Subscribers;
  readonly receivers: CapabilityReceivers;
  /** Rounds about a capability. */
  readonly rounds: Multicasts<CapabilityPayload>;
  readonly guards = new ByInitiator<RetypeGuard>(ARRIVALS_MOST);
  /** Operations under way here for others, who asked this core as an owner. */
  private readonly asks = new CoreCounts(limit('operationsPerAsker'));
  /** Checks under way here before this core believes others. */
  private readonly arrivals = new CoreCounts(ARRIVALS_MOST);
  readonly given = new Given();
  readonly handovers = new Handovers(this);
  /** A core died during this one's life, and with it the knowledge of what it had handed to others. */
  someoneLeft = false;
  /** Operations that go on although their callers, and the log, were told that some core does not answer. */
  private readonly toldUnanswered = new Set<OperationId>();
  private readonly deletions: (() => void)[] = [];
  readonly context: MonitorContext;
  readonly driver: CpuDriver;
  readonly agreement: Agreement;
  readonly seals: Seals;
  readonly takeFreed: CapopsPort['takeFreed'];
  readonly whenSettled: CapopsPort['whenSettled'];

  constructor({ context, driver, agreement, seals, takeFreed, asked, whenSettled }: CapopsPort) {
    this.context = context;
    this.driver = driver;
    this.agreement = agreement;
    this.seals = seals;
    this.takeFreed = takeFreed;
    this.whenSettled = whenSettled;
    this.exchange = new Exchange(context);
    const { rounds, plans } = agreement;
    this.rounds = new Multicasts({ context, rounds, plans, seals, ready: () => driver.booted }, CAPABILITY_PAYLOAD);
    this.changes = new WaitQueue(context.timers);
    this.transits = new Transits(this.changes);
    this.subscribers = new Subscribers(context, asked);
    this.receivers = new CapabilityReceivers(driver.domains);
  }

  get state(): LocalCapabilities {
    return this.driver.state;
  }

  get booted(): boolean {
    return this.driver.booted;
  }

  get now(): Nanos {
    return this.context.now;
  }

  /** Runs an operation that may be refused with TOO_MANY_OPERATIONS before it begins; `operation` gets its id. */
  run<T>(
    kind: string,
    capability: Capability,
    operation: (op: OperationId) => Operation<T>,
    now: Nanos,
    done?: Done<T>,
  ): OperationId {
    return this.begin(kind, capability, operation, now, done, false);
  }

  /** Runs work that this core owes the others after an operation: never refused. */
  carryOn<T>(
    kind: string,
    capability: Capability,
    operation: (op: OperationId) => Operation<T>,
    now: Nanos,
    done?: Done<T>,
  ): OperationId {
    return this.begin(kind, capability, operation, now, done, true);
  }

  /**
   * Runs a request of another core to this one as an owner. Refused with TOO_MANY_OPERATIONS beyond that core's share,
   * which belongs to no other core.
   */
  serve<T>(
    kind: string,
    capability: Capability,
    asker: CoreId,
    operation: (op: OperationId) => Operation<T>,
    now: Nanos,
    done: Done<T>,
  ): void {
    const ended = takeShare(this.asks, asker, now, done);
    if (ended !== null) this.begin(kind, capability, operation, now, ended, true);
  }

  /** Runs a check that this core needs before it believes another; refused likewise, beyond a share of its own. */
  lookInto<T>(
    kind: string,
    capability: Capability,
    sender: CoreId,
    operation: (op: OperationId) => Operation<T>,
    now: Nanos,
    done: Done<T>,
  ): void {
    const ended = takeShare(this.arrivals, sender, now, done);
    if (ended !== null) this.begin(kind, capability, operation, now, ended, true);
  }

  /** Like `carryOn`, for work that nobody waits for and that cannot fail. */
  inBackground(operation: Operation<unknown>): void {
    this.context.operations.start(this.context.operations.nextId(), operation, this.now, () => undefined, true);
  }

  /** Frees the caller's lock; a group that is gone needs none. */
  unlock(group: CopyGroup): void {
    if (group.locked) unlockGroup(group);
    this.locksChanged();
  }

  /** Resumes operations that wait for a lock or for a frozen slot to thaw, and deletion. */
  locksChanged(): void {
    this.changes.changed();
    for (const goOn of this.deletions) goOn();
  }

  /** Calls `goOn` whenever blocked deletion may go on. */
  whenDeletionMayGoOn(goOn: () => void): void {
    this.deletions.push(goOn);
  }

  /** Whether others may have received part of a range from here, now or at any earlier time. */
  mayHaveHanded(range: Range): boolean {
    return this.someoneLeft || this.given.hasTo(range);
  }

  /** Why this core cannot serve a request as the owner, and whom to ask instead; null: it can. */
  refusalOf(
    view: number,
    capability: Capability,
    from: CoreId,
  ): { readonly error: ErrorName; readonly owner: CoreId } | null {
    const { core } = this.context;
    if (!this.booted) return { error: 'NOT_A_MEMBER', owner: core };
    if (view !== this.context.view) return { error: 'VIEW_STALE', owner: core };
    const found = findOwned(this.state, capability);
    if (found.ok) {
      if ((found.value.relations & REMOTE.copies) !== 0 || !typeRow(capability.type).needsLocality) return null;
      const text = `asks for ${describeCapability(capability)}, of which nobody else was given a copy`;
      // Requests already under way when the last copy went are not an offence.
      if (!this.mayHaveHanded(capability)) this.context.offences.note(from, 'forged', text, this.now);
      return { error: 'CAPABILITY_NOT_FOUND', owner: core };
    }
    const owner = found.error === 'CAPABILITY_FOREIGN' ? known(this.state.database.find(capability)).owner : core;
    return { error: found.error, owner };
  }

  /**
   * Asks the owner of a foreign capability, and follows it when it has moved. An owner that no longer knows the
   * capability has handed it on, and the news is on its way: CAPABILITY_BUSY, never CAPABILITY_FOREIGN.
   */
  *askOwner<R extends { readonly error: number; readonly owner: number }>(
    slot: Slot,
    capability: Capability,
    ask: (owner: CoreId) => Operation<R>,
  ): Operation<R> {
    let owner = known(slot.group).owner;
    for (let hops = 0; hops < limit('ownerRedirects'); hops += 1) {
      const reply = yield* ask(owner);
      const error = errorIn(reply);
      if (error === null) return reply;
      if (slot.capability !== capability || isInDelete(slot))
        throw new OperationError('CAPABILITY_NOT_FOUND', 'it was deleted meanwhile');
      if (error === 'CAPABILITY_NOT_FOUND') break;
      if (error !== 'CAPABILITY_FOREIGN') throw new OperationError(error, `core ${owner}, its owner, refused`);
      if (reply.owner === this.context.core) break;
      owner = reply.owner;
    }
    throw new OperationError('CAPABILITY_BUSY', 'its owner is changing');
  }

  /** CT1, CM1, RO3. Throws AssertionFailure. */
  invariants(): void {
    this.handovers.invariants();
    for (const op of this.guards.keys())
      assertInvariant('CT1', this.rounds.isPresent(op), () => `a range is guarded for ${op}, whose initiator is gone`);
    for (const capability of this.transits.capabilities())
      assertInvariant('CM1', isSendable(capability), () => `${describeCapability(capability)} is in flight`);
  }

  /** A function that says, at any later time, whether a core is still present in the same life. */
  presenceOf(core: CoreId): () => boolean {
    const { monitors } = this.context;
    const known = monitors.get(core);
    return () => known !== undefined && monitors.get(core) === known;
  }

  /** Describes and logs how far an operation had come when its caller's time was up. */
  giveUpWaiting(op: OperationId, kind: string, elapsed: Nanos): string {
    const progress = this.agreement.rounds.progressOf(op, this.now);
    const silent = progress?.silent ?? this.exchange.askedOf(op);
    const trouble = {
      cores: this.context.members.length + 1,
      messages: progress?.messages ?? 2 * silent.length,
      silent,
    };
    logSilence(this.context, op, kind, { error: 'OPERATION_TIMEOUT', trouble }, elapsed);
    this.toldUnanswered.add(op);
    return `${kind} ${op}: ${silent.length > 0 ? unanswered(silent) : 'not done in time'}; it continues until it leaves nothing locked`;
  }

  private begin<T>(
    kind: string,
    capability: Capability,
    operation: (op: OperationId) => Operation<T>,
    now: Nanos,
    done: Done<T> | undefined,
    owed: boolean,
  ): OperationId {
    const op = this.context.operations.nextId();
    const ended: Done<T> = (outcome, at) => {
      this.log(op, kind, capability, outcome, at - now);
      done?.(outcome, at);
    };
    this.context.operations.start(op, operation(op), now, ended, owed);
    return op;
  }

  private log(op: OperationId, kind: string, capability: Capability, outcome: Outcome<unknown>, elapsed: Nanos): void {
    const { outbox } = this.context;
    const isTold = this.toldUnanswered.delete(op);
    if (!outbox.debug && !FOR_CALLERS.has(kind)) return;
    const told = outcome.ok ? roundIn(outcome.value) : outcome.trouble;
    const result = outcome.ok ? 'ok' : outcome.error;
    if (!outcome.ok && !isTold) logSilence(this.context, op, kind, outcome, elapsed);
    outbox.log('cap_operation', {
      op,
      kind,
      capability: describeCapability(capability),
      cores: told?.cores ?? 1,
      messages: told?.messages ?? 0,
      elapsed_us: elapsed / 1000,
      result,
    });
  }
}

/** The cores and messages of an operation, if its result says so. */
function roundIn(value: unknown): { readonly cores?: number; readonly messages?: number } | null {
  if (!isRecord(value)) return null;
  const { cores, messages } = value;
  return { ...(isWhole(cores) && { cores }), ...(isWhole(messages) && { messages }) };
}

/**
 * Takes one more of a core's share. Returns a `done` that gives it back; null, after calling `done` with the refusal,
 * when the share is used up.
 */
function takeShare<T>(shares: CoreCounts, core: CoreId, now: Nanos, done: Done<T>): Done<T> | null {
  if (!shares.begin(core)) {
    const text = `core ${core} has reached its limit of operations here`;
    done({ ok: false, error: 'TOO_MANY_OPERATIONS', text }, now);
    return null;
  }
  return (outcome, at) => {
    shares.end(core);
    done(outcome, at);
  };
}

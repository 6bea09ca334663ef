import type { ErrorName } from '@mk/monitor-proto/errors';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { type Capability, describeCapability } from '../../capability/model/capability.ts';
import { type CoreSnapshot, snapshotCore } from '../../capability/audit/audit-snapshot.ts';
import type { Outcome as Changes } from '../../capability/model/changes.ts';
import { type CopyGroup, sortedSlots } from '../../capability/store/copy-group.ts';
import { errorNameOf } from '../../capability/model/errors.ts';
import type { LocalCapabilities } from '../../capability/store/local-capabilities.ts';
import { findOwned, unlockGroup } from '../../capability/global/monitor-primitives.ts';
import { isInDelete, type Slot } from '../../capability/store/slot.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { Agreement } from '../agreement/agreement.ts';
import { unanswered } from '../agreement/one-phase.ts';
import { logSilence } from '../agreement/silence.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, type Outcome } from '../operations.ts';
import type { MessageHandlers, RoundActs, Service } from '../service.ts';
import { type CoreSet, coreSetOf } from './core-set.ts';
import { onCopyRequest, onReceive } from './copy.ts';
import { deleteEverywhere, deleteRemoteAct, findCopyAct } from './delete.ts';
import { errorIn, Exchange } from './exchange.ts';
import { coreOf, FinishedPhases, incarnationOf, isBegunBy, OpenRounds } from './finished.ts';
import { onMoveRequest, updateOwnerAct } from './move.ts';
import { Reclaims } from './reclaim.ts';
import { capabilityCalls } from './requests.ts';
import { onRetrieveRequest } from './retrieve.ts';
import { checkRetypeAct, onRetypeRequest, type RetypeGuard } from './retype.ts';
import { Revokes } from './revoke.ts';
import { Stepper } from './stepper.ts';
import { Subscribers } from './subscribers.ts';
import { Transits, WaitQueue } from './waiting.ts';

/** Operations that a caller asked for: their end is worth a line; the others' only at debug level. */
const FOR_CALLERS: ReadonlySet<string> = new Set(['send', 'retype', 'revoke', 'delete', 'retrieve']);

/** Numbers of domains from here on are ends of channels: what is sent there goes to the end's dispatcher. */
export const END_ADDRESSES = 2 ** 31;

/** An end of a channel as capabilities see it; told where each lies that came for it. */
export interface EndOfChannel {
  readonly domain: number;
  arrived(address: number): void;
}

interface Receiver {
  readonly domain: Domain;
  arrived(address: number): void;
}

type Done<T> = (outcome: Outcome<T>, now: Nanos) => void;

/**
 * Capability operations between cores: what the monitor does where the CPU driver answers RETRY_THROUGH_MONITOR. One file
 * an operation; this is what they share. A group that is locked here is locked by exactly one operation, which unlocks it.
 */
export class Capops implements Service {
  readonly exchange: Exchange;
  /** Locks, transits, frozen slots and deletion: run after each change of any. */
  readonly changes: WaitQueue;
  readonly transits: Transits;
  readonly subscribers: Subscribers;
  readonly openRounds = new OpenRounds();
  readonly finished = new FinishedPhases();
  readonly guards = new Map<OperationId, RetypeGuard>();
  /** Operations that go on although their callers were told, and the log, that somebody does not answer. */
  private readonly toldUnanswered = new Set<OperationId>();
  readonly stepper: Stepper;
  readonly revokes: Revokes;
  readonly reclaims: Reclaims;
  private memberSet: { readonly of: readonly CoreId[] | null; readonly cores: CoreSet } = { of: null, cores: [] };

  readonly messages = {
    cap_copy_request: (from, request, now) => onCopyRequest(this, from.id, request, now),
    cap_copy_reply: (from, reply, now) => this.exchange.answered(from.id, reply, now),
    cap_receive_request: (from, request, now) => onReceive(this, from.id, request, now),
    cap_receive_reply: (from, reply, now) => this.exchange.answered(from.id, reply, now),
    cap_move_request: (from, request, now) => onMoveRequest(this, from.id, request, now),
    cap_move_reply: (from, reply, now) => this.exchange.answered(from.id, reply, now),
    cap_retrieve_request: (from, request, now) => onRetrieveRequest(this, from.id, request, now),
    cap_retrieve_reply: (from, reply, now) => this.exchange.answered(from.id, reply, now),
    cap_retype_request: (from, request, now) => onRetypeRequest(this, from.id, request, now),
    cap_retype_reply: (from, reply, now) => this.exchange.answered(from.id, reply, now),
    cap_retype_created: (from, message, now) => this.exchange.answered(from.id, message, now),
    cap_reclaim_request: (from, request) => this.reclaims.onRequest(from.id, request),
    cap_reclaim_reply: (from, reply, now) => this.exchange.answered(from.id, reply, now),
  } satisfies MessageHandlers;
  readonly roundActions;
  /** Whom capabilities reach that are sent to an end of a channel; channels say so. */
  endOf: (end: number) => EndOfChannel | undefined = () => undefined;
  readonly systemCalls = capabilityCalls(this);

  constructor(
    readonly context: MonitorContext,
    readonly driver: CpuDriver,
    readonly agreement: Agreement,
  ) {
    this.exchange = new Exchange(context);
    this.changes = new WaitQueue(context.timers);
    this.transits = new Transits(this.changes);
    this.subscribers = new Subscribers(context);
    this.stepper = new Stepper(this);
    this.revokes = new Revokes(this);
    this.reclaims = new Reclaims(this);
    this.roundActions = {
      revoke: this.revokes.act,
      check_retype: checkRetypeAct(this),
      find_copy: findCopyAct(this),
      delete_remote: deleteRemoteAct(this),
      update_owner: updateOwnerAct(this),
      reclaim: this.reclaims.act,
    } satisfies RoundActs;
    driver.onOutcome = (outcome) => this.absorb(outcome);
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

  /** This core and the other members; the same set until they change. */
  get everybody(): CoreSet {
    const { core, members } = this.context;
    if (this.memberSet.of !== members) this.memberSet = { of: members, cores: coreSetOf([core, ...members]) };
    return this.memberSet.cores;
  }

  /** Runs an operation that may be refused with TOO_MANY_OPERATIONS before it has begun; `operation` is given its id. */
  run<T>(
    kind: string,
    capability: Capability,
    operation: (op: OperationId) => Operation<T>,
    now: Nanos,
    done?: Done<T>,
  ): OperationId {
    return this.begin(kind, capability, operation, now, done, false);
  }

  /** Runs what this core owes the others after what it has done already: never refused. */
  carryOn<T>(
    kind: string,
    capability: Capability,
    operation: (op: OperationId) => Operation<T>,
    now: Nanos,
    done?: Done<T>,
  ): OperationId {
    return this.begin(kind, capability, operation, now, done, true);
  }

  /** As `carryOn`, for what nobody waits for and what cannot fail. */
  inBackground(operation: Operation<unknown>): void {
    this.context.operations.start(this.context.operations.nextId(), operation, this.now, () => undefined, true);
  }

  /** What an operation on this core did, with what follows from it. */
  absorb(outcome: Changes): void {
    for (const candidate of outcome.reclaim) if (!this.revokes.keep(candidate)) this.reclaims.take(candidate);
    if (outcome.changes.length > 0) this.changes.changed();
    this.stepper.kick();
  }

  /** Frees a lock that the caller holds; what went meanwhile needs none. */
  unlock(group: CopyGroup): void {
    if (group.locked) unlockGroup(group);
    this.locksChanged();
  }

  locksChanged(): void {
    this.changes.changed();
    this.stepper.kick();
  }

  /** Whose cspace a number names that a capability is sent to: a domain's, or that of the dispatcher with an end of a channel. */
  receiverOf(id: number): Receiver | undefined {
    const end = id >= END_ADDRESSES ? this.endOf(id - END_ADDRESSES) : undefined;
    const domain = this.driver.domains.get(end?.domain ?? id);
    return domain === undefined ? undefined : { domain, arrived: end?.arrived ?? nothing };
  }

  dispatcherGone({ id }: Domain): void {
    if (this.booted) this.subscribers.removeAll(id);
  }

  /**
   * Deletes the root CNode of a cspace with all that is below it, on every core if need be; `done` when it is gone. A copy of
   * it that lies in its own slots, the task CNode for one, would keep it: those go first.
   */
  deleteCspace(root: Slot, now: Nanos, done: (now: Nanos) => void): void {
    const { capability, group } = root;
    if (capability === null || group === null) return done(now);
    const others = sortedSlots(group).filter((slot) => slot !== root);
    const remove = function* (m: Capops, op: OperationId): Operation<void> {
      for (const slot of others)
        if (slot.capability !== null) yield* deleteEverywhere(m, `${op}.${slot.address}`, slot, slot.capability);
      yield* deleteEverywhere(m, op, root, capability);
    };
    this.carryOn(
      'delete_cspace',
      capability,
      (op) => remove(this, op),
      now,
      (_outcome, at) => done(at),
    );
  }

  domainOrFail(id: number): Domain {
    const domain = this.driver.domains.get(id);
    if (domain === undefined)
      throw new OperationError('NO_SUCH_DOMAIN', `no domain ${id} on core ${this.context.core}`);
    return domain;
  }

  /** Why this core cannot serve a request to it as the owner, and whom to ask instead; null: it can. */
  refusalOf(view: number, capability: Capability): { readonly error: ErrorName; readonly owner: CoreId } | null {
    const { core } = this.context;
    if (!this.booted) return { error: 'NOT_A_MEMBER', owner: core };
    if (view < this.context.view) return { error: 'VIEW_STALE', owner: core };
    const found = findOwned(this.state, capability);
    if (found.ok) return null;
    const owner = found.error === 'capability_foreign' ? this.state.database.find(capability)!.owner : core;
    return { error: errorNameOf(found.error), owner };
  }

  /**
   * Asks the owner of a foreign capability, and follows it when it has moved (race 10). An owner that does not know the
   * capability any more has handed it on, and the news is on its way: CAPABILITY_BUSY, never CAPABILITY_FOREIGN.
   */
  *askOwner<R extends { readonly error: number; readonly owner: number }>(
    slot: Slot,
    capability: Capability,
    ask: (owner: CoreId) => Operation<R>,
  ): Operation<R> {
    let owner = slot.group!.owner;
    for (let hops = 0; hops < limit('ownerRedirects'); hops += 1) {
      const reply = yield* ask(owner);
      const error = errorIn(reply);
      if (error === null) return reply;
      if (slot.capability !== capability || isInDelete(slot))
        throw new OperationError('CAPABILITY_NOT_FOUND', 'it went meanwhile');
      if (error === 'CAPABILITY_NOT_FOUND') break;
      if (error !== 'CAPABILITY_FOREIGN') throw new OperationError(error, `core ${owner}, its owner, refused`);
      if (reply.owner === this.context.core) break;
      owner = reply.owner;
    }
    throw new OperationError('CAPABILITY_BUSY', 'its owner is changing');
  }

  /** Whether the incarnation that began an operation is there, this core itself included. */
  isPresent(op: OperationId): boolean {
    const core = coreOf(op);
    return core === this.context.core || this.context.monitors.get(core)?.incarnation === incarnationOf(op);
  }

  /** Tells, at any time from now on, whether a core is still there and has not been started again. */
  presenceOf(core: CoreId): () => boolean {
    const { monitors } = this.context;
    const known = monitors.get(core);
    return () => known !== undefined && monitors.get(core) === known;
  }

  /** What an incarnation has begun and nobody will end is ended here. */
  peerGone({ id: core, incarnation }: Peer, now: Nanos): void {
    this.exchange.peerGone(core, now);
    for (const op of this.guards.keys()) if (isBegunBy(op, core, incarnation)) this.guards.delete(op);
    this.finished.forget(core, incarnation);
    if (!this.booted) return;
    this.reclaims.peerGone(core, incarnation);
    this.revokes.peerGone(core, incarnation);
  }

  /** Something between cores is under way here: a snapshot taken now may show a state that is none of a quiet cluster. */
  get busy(): boolean {
    return (
      this.transits.capabilities().length > 0 ||
      this.revokes.parts.size > 0 ||
      !this.reclaims.idle ||
      !this.state.deletions.drained ||
      this.guards.size > 0
    );
  }

  /** This core's part of an audit: what is in its slots, in flight from it and on its way home. */
  snapshot(): CoreSnapshot {
    return snapshotCore(this.state, this.transits.capabilities(), [...this.reclaims.ranges()]);
  }

  /** How far an operation has come whose caller's patience is over; logged, for who asked is told now. */
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
    return `${kind} ${op}: ${silent.length > 0 ? unanswered(silent) : 'not done in time'}; it goes on to where it leaves nothing locked`;
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
    const told =
      outcome.ok && typeof outcome.value === 'object'
        ? (outcome.value as { cores?: number; messages?: number } | null)
        : outcome.ok
          ? null
          : outcome.trouble;
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

function nothing(): void {
  // Nobody keeps account of what a domain is sent directly.
}

import type { Nanos, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import { lookup, type SlotRef } from '../../capability/store/cspace.ts';
import type { Invocation, Invocations } from '../../capability/invocations/decode.ts';
import { RIGHTS } from '../../capability/model/rights.ts';
import { full, type FullSlot } from '../../capability/store/slot.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { SystemCallDone, SystemCallResult } from '../../cpu-driver/system-calls.ts';
import { type Operation, OperationError, type Outcome } from '../operations.ts';
import type { SystemCallHandlers } from '../service.ts';
import type { CapopsContext } from './context.ts';
import { sendCopy } from './copy.ts';
import { deleteEverywhere } from './delete.ts';
import { retrieve } from './retrieve.ts';
import { retype } from './retype.ts';
import type { Revokes } from './revoke.ts';

/**
 * The system calls about capabilities that concern other cores. An invocation is decoded again, because the slot may
 * have changed since the CPU driver looked. The caller is answered in time (C7): past the deadline with
 * OPERATION_TIMEOUT, while the operation goes on until it leaves nothing locked.
 */
export function capabilityCalls(m: CapopsContext, revokes: Revokes) {
  const performers = performersOf(revokes);
  return {
    invoke(domain, { invocation }, now, done) {
      const perform = performers[invocation.operation] as Performer<Invocation['operation']> | undefined;
      if (perform === undefined)
        throw new OperationError('BAD_SYSTEM_CALL', `${invocation.operation} is the CPU driver's own`);
      perform(m, domain, invocation as never, now, done);
    },
    send(domain, { sending: { source, core, domain: to, giveAway = false } }, now, done) {
      const slot = find(m, domain, source, RIGHTS.grant);
      start(m, 'send', slot, (op) => sendCopy(m, op, slot, { core, domain: to }, giveAway), now, done);
    },
    retrieve(domain, { source }, now, done) {
      const slot = find(m, domain, source, RIGHTS.grant);
      start(m, 'retrieve', slot, (op) => retrieve(m, op, slot), now, done);
    },
    subscribe_revoke(domain, { source }, now, done) {
      const { address, size } = find(m, domain, source, 0).capability;
      if (!m.subscribers.add(domain.id, { address, size }))
        throw new OperationError('TOO_MANY_OPERATIONS', 'too many subscriptions');
      done({ ok: true, value: null }, now);
    },
    unsubscribe_revoke(domain, { source }, now, done) {
      const { address, size } = find(m, domain, source, 0).capability;
      done({ ok: true, value: m.subscribers.removeOne(domain.id, { address, size }) }, now);
    },
    revokes_asked: (domain, _args, now, done) => done({ ok: true, value: m.subscribers.asked(domain.id) }, now),
    consent_revoke: (domain, { op, consents }, now, done) =>
      done({ ok: true, value: m.subscribers.answer(domain.id, op, consents) }, now),
  } satisfies SystemCallHandlers;
}

type Performer<K extends Invocation['operation']> = (
  m: CapopsContext,
  domain: Domain,
  given: Invocations[K],
  now: Nanos,
  done: SystemCallDone,
) => void;

function performersOf(revokes: Revokes): { readonly [K in Invocation['operation']]?: Performer<K> } {
  return {
    retype: startRetype,
    create_cnode: (m, domain, { size, ...rest }, now, done) =>
      startRetype(m, domain, { ...rest, objectSize: size, count: 1 }, now, done),
    delete(m, domain, { target }, now, done) {
      const slot = find(m, domain, target, 0);
      const { capability } = full(slot);
      start(m, 'delete', slot, (op) => deleteEverywhere(m, op, slot, capability), now, done);
    },
    revoke(m, domain, { target }, now, done) {
      const slot = find(m, domain, target, RIGHTS.grant);
      start(m, 'revoke', slot, (op) => revokes.run(op, slot), now, done);
    },
  };
}

function startRetype(
  m: CapopsContext,
  domain: Domain,
  given: Invocations['retype'],
  now: Nanos,
  done: SystemCallDone,
): void {
  const slot = find(m, domain, given.source, 0);
  start(
    m,
    'retype',
    slot,
    (op) => retype(m, op, domain.root, given),
    now,
    (result, at) => done(result.ok ? { ok: true, value: null } : result, at),
  );
}

/** The slot that a caller names, with the right that the operation needs (C6). */
function find(m: CapopsContext, domain: Domain, ref: SlotRef, rights: number): FullSlot {
  if (!m.booted) throw new OperationError('NO_CSPACE', 'this core has not been registered yet');
  const found = lookup(m.state, domain.root, ref, rights);
  if (!found.ok)
    throw new OperationError(found.error, found.error === 'MISSING_RIGHT' ? 'held without the right' : 'not held');
  return found.value;
}

function start<T>(
  m: CapopsContext,
  kind: string,
  { capability }: FullSlot,
  operation: (op: string) => Operation<T>,
  now: Nanos,
  done: SystemCallDone,
): void {
  const answer = new TimelyAnswer(m, kind, now, done);
  const op = m.run(kind, capability, operation, now, (outcome, at) => answer.give(resultOf(outcome), at));
  answer.begun(op);
}

function resultOf(outcome: Outcome<unknown>): SystemCallResult {
  if (outcome.ok) return { ok: true, value: outcome.value ?? null };
  const { error, text, trouble } = outcome;
  return { ok: false, error, ...(trouble !== undefined && { text }) };
}

/** Answers once, at the deadline at the latest, then naming the operation and the cores that hold it up. */
class TimelyAnswer {
  private open = true;
  private timer: Timer | null = null;

  constructor(
    private readonly m: CapopsContext,
    private readonly kind: string,
    private readonly startedAt: Nanos,
    private readonly done: SystemCallDone,
  ) {}

  /** Later than the operation's own deadlines: one that ends by itself at that moment knows more. */
  begun(op: OperationId): void {
    if (!this.open) return;
    this.timer = this.m.context.timers.set(this.startedAt + limit('operationDeadlineNs'), (at) => {
      if (!this.open) return;
      const text = this.m.giveUpWaiting(op, this.kind, at - this.startedAt);
      this.give({ ok: false, error: 'OPERATION_TIMEOUT', text }, at);
    });
  }

  give(result: SystemCallResult, at: Nanos): void {
    if (!this.open) return;
    this.open = false;
    this.m.context.timers.cancel(this.timer);
    this.done(result, at);
  }
}

import type { ErrorName } from '@mk/monitor-proto/errors';
import type { Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Capability } from '../../capability/model/capability.ts';
import { lookup, type SlotRef } from '../../capability/store/cspace.ts';
import type { Invocation, Invocations } from '../../capability/invocations/decode.ts';
import { errorNameOf } from '../../capability/model/errors.ts';
import { hasRights, RIGHTS } from '../../capability/model/rights.ts';
import type { Slot } from '../../capability/store/slot.ts';
import type { SystemCallResult } from '../../cpu-driver/cpu-driver.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import { checkInvocation, isSlotRef, isWhole } from '../../cpu-driver/invocation-check.ts';
import type { SystemCall } from '../../effects.ts';
import { type Operation, OperationError } from '../operations.ts';
import type { Capops } from './capops.ts';
import { sendCopy } from './copy.ts';
import { deleteEverywhere } from './delete.ts';
import { retrieve } from './retrieve.ts';
import { retype } from './retype.ts';

type Done = (result: SystemCallResult, now: Nanos) => void;

/**
 * The system calls that the CPU driver answered with RETRY_THROUGH_MONITOR. Each is decoded anew: between the two the
 * slot may have changed. The caller hears in time (C7): past the deadline OPERATION_TIMEOUT, while the operation goes on to
 * where it leaves nothing locked.
 */
export function throughMonitor(m: Capops, id: number, call: SystemCall, now: Nanos, done: Done): void {
  const domain = m.driver.domains.get(id);
  if (domain === undefined || !m.booted) return done({ ok: false, error: 'NO_CSPACE' }, now);
  const answer = answerInTime(m, now, done);
  try {
    (Object.hasOwn(CALLS, call.name) ? CALLS[call.name]! : unknown)(m, domain, call.args, now, answer);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    answer({ ok: false, error: error.error }, now);
  }
}

type Call = (m: Capops, domain: Domain, args: readonly unknown[], now: Nanos, done: Done) => void;

const CALLS: Readonly<Record<string, Call>> = {
  invoke(m, domain, [given], now, done) {
    const invocation = checkInvocation(given);
    if (invocation === null) throw new OperationError('BAD_SYSTEM_CALL', 'no invocation');
    const perform = INVOCATIONS[invocation.operation] as
      ((m: Capops, domain: Domain, given: Invocation, now: Nanos, done: Done) => void) | undefined;
    if (perform === undefined)
      throw new OperationError('BAD_SYSTEM_CALL', `${invocation.operation} is the CPU driver's own`);
    perform(m, domain, invocation, now, done);
  },
  send(m, domain, [given], now, done) {
    const { source, core, domain: to, giveAway = false } = (given ?? {}) as Readonly<Record<string, unknown>>;
    if (!isSlotRef(source) || !isWhole(core) || !isWhole(to) || typeof giveAway !== 'boolean')
      throw new OperationError('BAD_SYSTEM_CALL', 'send needs source, core and domain');
    const slot = find(m, domain, source, RIGHTS.grant);
    start(m, 'send', slot, (op) => sendCopy(m, op, slot, { core, domain: to }, giveAway), now, done);
  },
  retrieve(m, domain, [source], now, done) {
    if (!isSlotRef(source)) throw new OperationError('BAD_SYSTEM_CALL', 'retrieve needs a slot');
    const slot = find(m, domain, source, RIGHTS.grant);
    start(m, 'retrieve', slot, (op) => retrieve(m, op, slot), now, done);
  },
  subscribe_revoke(m, domain, [source], now, done) {
    if (!isSlotRef(source)) throw new OperationError('BAD_SYSTEM_CALL', 'a subscription needs a slot');
    const { address, size } = find(m, domain, source, 0).capability!;
    if (!m.subscribers.add(domain.id, { address, size }))
      throw new OperationError('TOO_MANY_OPERATIONS', 'too many subscriptions');
    done({ ok: true, value: null }, now);
  },
  consent_revoke(m, domain, [op, consents], now, done) {
    if (typeof op !== 'string' || typeof consents !== 'boolean')
      throw new OperationError('BAD_SYSTEM_CALL', 'a consent names its operation');
    done({ ok: true, value: m.subscribers.answer(domain.id, op, consents) }, now);
  },
  unsubscribe_revoke(m, domain, [source], now, done) {
    if (!isSlotRef(source)) throw new OperationError('BAD_SYSTEM_CALL', 'a subscription needs a slot');
    const { address, size } = find(m, domain, source, 0).capability!;
    done({ ok: true, value: m.subscribers.removeOne(domain.id, { address, size }) }, now);
  },
  revokes_asked: (m, domain, _args, now, done) => done({ ok: true, value: m.subscribers.asked(domain.id) }, now),
};

type Performer<K extends Invocation['operation']> = (
  m: Capops,
  domain: Domain,
  given: Invocations[K],
  now: Nanos,
  done: Done,
) => void;

const INVOCATIONS: { readonly [K in Invocation['operation']]?: Performer<K> } = {
  retype: startRetype,
  create_cnode: (m, domain, { size, ...rest }, now, done) =>
    startRetype(m, domain, { ...rest, objectSize: size, count: 1 }, now, done),
  delete(m, domain, { target }, now, done) {
    const slot = find(m, domain, target, 0);
    const capability = slot.capability!;
    start(m, 'delete', slot, (op) => deleteEverywhere(m, op, slot, capability), now, done);
  },
  revoke(m, domain, { target }, now, done) {
    const slot = find(m, domain, target, RIGHTS.grant);
    start(m, 'revoke', slot, (op) => m.revokes.run(op, slot), now, done);
  },
};

function startRetype(m: Capops, domain: Domain, given: Invocations['retype'], now: Nanos, done: Done): void {
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
function find(m: Capops, domain: Domain, ref: SlotRef, rights: number): Slot {
  const found = lookup(m.state, domain.root, ref, rights);
  if (!found.ok) throw new OperationError(errorNameOf(found.error), 'not held');
  if (!hasRights(found.value.capability.rights, rights))
    throw new OperationError('MISSING_RIGHT', 'held without the right');
  return found.value;
}

function start<T>(
  m: Capops,
  kind: string,
  { capability }: Slot,
  operation: (op: string) => Operation<T>,
  now: Nanos,
  done: Done,
): void {
  m.run(kind, capability as Capability, operation, now, (outcome, at) => {
    done(outcome.ok ? { ok: true, value: outcome.value ?? null } : { ok: false, error: outcome.error }, at);
  });
}

const unknown: Call = () => {
  throw new OperationError('BAD_SYSTEM_CALL', 'not a call of the monitor');
};

/** Answers once, at the deadline if nothing else has. */
function answerInTime(m: Capops, now: Nanos, done: Done): Done {
  let open = true;
  const once = (result: SystemCallResult, at: Nanos): void => {
    if (!open) return;
    open = false;
    m.context.timers.cancel(timer);
    done(result, at);
  };
  const late: ErrorName = 'OPERATION_TIMEOUT';
  const timer = m.context.timers.set(now + limit('operationDeadlineNs'), (at) => once({ ok: false, error: late }, at));
  return once;
}

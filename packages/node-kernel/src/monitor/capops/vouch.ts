/*
 * VOUCH: checks a core's claim to own a capability.
 *
 *   - A copy of memory that a core other than its home hands out, or asks for: everybody is asked, in one round. Every
 *     capability has a holder, so a true owner objects, as does the home of free memory; and it came from somebody, who
 *     says so (`Given`). The copy is in flight meanwhile, and its sender answers for it.
 *   - A new owner, at a holder that knows another one: the other one is asked. It knows, because owners change one
 *     after another.
 *
 * An objector may lie: an objection stops the claim and proves nothing (`disputed`). Silence is no objection.
 */
import { ERRORS, type ErrorName, errorOfCode } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { type Capability, describeCapability, overlaps, type Range } from '../../capability/model/capability.ts';
import { decodeCapability, encodeCapability, isMalformed } from '../../capability/model/capability-codec.ts';
import { typeRow } from '../../capability/model/types.ts';
import { coreOf } from '../agreement/finished.ts';
import type { Act } from '../agreement/round-actions.ts';
import { claimOf } from './claims.ts';
import { type Operation, OperationError } from '../operations.ts';
import type { CapopsContext } from './context.ts';
import { errorIn } from './exchange.ts';

/** The claimant claims to hold the capability, not to own it. */
const HOLDS = 1;
/** The answer of a voter that handed the claimant something. */
const HANDED: readonly number[] = [1, 1];

/** Whether a copy that a core hands out needs vouching; memory that the core itself contributes does not. */
export function needsVouching(m: CapopsContext, capability: Capability, from: CoreId): boolean {
  const { addressed, needsLocality } = typeRow(capability.type);
  return addressed && needsLocality && m.state.homeOf(capability.address) !== from;
}

/**
 * Why a core's claim to own or use a capability is rejected; null: somebody handed it part of the memory, and nobody
 * objects.
 */
export function* objectionTo(
  m: CapopsContext,
  op: OperationId,
  capability: Capability,
  from: CoreId,
): Operation<ErrorName | null> {
  const { refusals, data } = yield* m.rounds.ask(op, 'vouch', { capability, rest: [from] });
  let busy = false;
  for (const [core, code] of refusals) {
    const error = errorOfCode(code) ?? 'BAD_REQUEST';
    if (core === from || error === 'OPERATION_TIMEOUT' || error === 'PEER_GONE') continue;
    if (error === 'OWNER_MISMATCH') return dispute(m, capability, from, `core ${core} objects`);
    busy = true;
  }
  if (busy) return 'CAPABILITY_BUSY';
  return data.length > 0 ? null : dispute(m, capability, from, 'nobody has handed it any of it');
}

/** Whether somebody has handed a core part of a capability of this core. Null: not all could tell. */
export function* wasHanded(
  m: CapopsContext,
  op: OperationId,
  capability: Capability,
  core: CoreId,
): Operation<boolean | null> {
  if (m.someoneLeft || m.given.has(core, capability) || m.state.homeOf(capability.address) === core) return true;
  const { data, refusals } = yield* m.rounds.ask(op, 'vouch', { capability, rest: [core, HOLDS] });
  if (data.length > 0) return true;
  if (refusals.some(([voter]) => voter !== core)) return null;
  dispute(m, capability, core, 'nobody has handed it any of it');
  return false;
}

/** Ends a request of a core that claims to hold a capability of this one and was never handed any of it. */
export function* failUnlessHanded(
  m: CapopsContext,
  op: OperationId,
  capability: Capability,
  core: CoreId,
): Operation<void> {
  if (!typeRow(capability.type).addressed) return;
  const handed = yield* wasHanded(m, `${op}.v`, capability, core);
  if (handed === null) throw new OperationError('CAPABILITY_BUSY', 'not everybody could tell who holds it');
  if (!handed) throw new OperationError('CAPABILITY_NOT_FOUND', `core ${core} was handed nothing of it`);
}

function dispute(m: CapopsContext, capability: Capability, from: CoreId, why: string): ErrorName {
  m.context.offences.note(from, 'disputed', `claims ${describeCapability(capability)}; ${why}`, m.now);
  return 'OWNER_MISMATCH';
}

/**
 * Objects when this core knows better. A number says when it has handed the core part of it, or cannot know who has.
 * Memory being freed here may have a new owner, or none, in a moment.
 */
export function vouchAct(m: CapopsContext, reclaiming: () => readonly Range[]): Act {
  return m.rounds.act({
    commit(op, { capability, rest }, answer) {
      const claimant = rest[0] ?? -1;
      const { core } = m.context;
      if (core === claimant) return answer(null);
      if (rest[1] !== HOLDS && coreOf(op) !== core) {
        const claim = claimOf(m, capability, claimant);
        if (claim === 'false') return answer('OWNER_MISMATCH');
        if (claim === 'changing' || reclaiming().some((range) => overlaps(range, capability)))
          return answer('CAPABILITY_BUSY');
      }
      answer(null, m.someoneLeft || m.given.has(claimant, capability) ? HANDED : []);
    },
  });
}

/** A core's objection to another's claim to own a capability; none when it is gone and cannot object. */
export function* objectionOf(
  m: CapopsContext,
  voucher: CoreId,
  capability: Capability,
  owner: CoreId,
): Operation<ErrorName | null> {
  const op = m.context.operations.nextId();
  const cap = encodeCapability(capability);
  try {
    const request = { type: 'cap_vouch_request', op, view: m.context.view, cap, owner } as const;
    return errorIn(yield* m.exchange.ask(voucher, request, 'cap_vouch_reply'));
  } catch (error) {
    if (error instanceof OperationError && !m.context.monitors.has(voucher)) return null;
    throw error;
  }
}

/** Answers at the previous owner. */
export function onVouchRequest(
  m: CapopsContext,
  from: CoreId,
  { op, cap, owner }: MessageOf<'cap_vouch_request'>,
  now: Nanos,
): void {
  const capability = decodeCapability(cap);
  const error = isMalformed(capability) ? 'CAPABILITY_MALFORMED' : m.booted ? objection(m, capability, owner) : null;
  m.exchange.tell(from, { type: 'cap_vouch_reply', op, error: error === null ? 0 : ERRORS[error].code }, now);
}

function objection(m: CapopsContext, capability: Capability, owner: CoreId): ErrorName | null {
  const claim = claimOf(m, capability, owner);
  return claim === 'possible' ? null : claim === 'false' ? 'OWNER_MISMATCH' : 'CAPABILITY_BUSY';
}

/*
 * RETYPE. The owner serialises: it locks the source, checks its own database, then, if the source may have descendants
 * elsewhere, every core's (Baumann et al., SOSP 2009, §5.1: retype is the two-phase commit). A consenting core also
 * guards the range until the second phase: a capability in flight would otherwise slip past the check between its two
 * holders. Foreign retype: the owner keeps lock and guards until the requester says that its objects exist, or will
 * not. Overlapping retypes: the owner's lock lets one in; the others find its objects or CAPABILITY_BUSY (C4).
 */
import { ERRORS, type ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { Capability, Range } from '../../capability/model/capability.ts';
import { decodeCapability, encodeCapability, isMalformed } from '../../capability/model/capability-codec.ts';
import { REMOTE } from '../../capability/store/copy-group.ts';
import { checkRetype, decodeDestinations, type Invocations } from '../../capability/invocations/decode.ts';
import type { Result } from '../../capability/model/errors.ts';
import { findOwned, lockGroup } from '../../capability/global/monitor-primitives.ts';
import { addRelations } from '../../capability/store/relations.ts';
import {
  createRetyped,
  isRetypeable,
  planRetype,
  type RetypeRequest,
  retypeRange,
} from '../../capability/invocations/retype.ts';
import { type CopyGroup, full, isInDelete, type Slot } from '../../capability/store/slot.ts';
import { typeOfOrdinal } from '../../capability/model/type-rules.ts';
import { typeRow } from '../../capability/model/types.ts';
import { coreOf } from '../agreement/finished.ts';
import { type Act, PHASES } from '../agreement/round-actions.ts';
import { type Operation, OperationError } from '../operations.ts';
import { onlyOwner } from './claims.ts';
import type { CapopsContext } from './context.ts';
import { failUnlessHanded } from './vouch.ts';
import type { Multicast } from '../agreement/multicast.ts';

type Given = Invocations['retype'];

/** Consents when nothing lies in the range, and keeps it so until commit or abort. */
export function checkRetypeAct(m: CapopsContext): Act {
  return m.rounds.act({
    wrong: onlyOwner(m),
    prepare(op, { capability: source, rest }, answer) {
      const range = { address: rest[0] ?? -1, size: rest[1] ?? -1 };
      const free = isRetypeable(m.state, source, range);
      if (!free.ok) return answer(free.error);
      if (coreOf(op) !== m.context.core && m.guards.isFull(op)) return answer('TOO_MANY_OPERATIONS');
      m.guards.set(op, { source, range });
      answer(null);
    },
    commit(op, _given, answer) {
      m.guards.delete(op);
      answer(null);
    },
    abort(op, _given, answer) {
      m.guards.delete(op);
      answer(null);
    },
  });
}

/** Retypes for a domain when its CPU driver alone could not. */
export function* retype(m: CapopsContext, op: OperationId, root: Slot, given: Given): Operation<Multicast | null> {
  const decoded = checkRetype(m.state, root, given);
  if (!decoded.ok) throw new OperationError(decoded.error, 'refused on this core');
  const { source, children } = decoded.value;
  if (m.state.isForeign(full(source).group)) return yield* retypeForeign(m, op, root, given, decoded.value);
  const { group } = full(source);
  lockGroup(group);
  let round: Multicast | null = null;
  try {
    round = yield* checkRange(m, op, group, retypeRange(children));
    create(m, root, given, group, children);
    return round;
  } finally {
    if (round !== null) m.rounds.finishInBackground(PHASES.commit, round);
    m.unlock(group);
  }
}

/** Handles a foreign holder's request. */
export function onRetypeRequest(
  m: CapopsContext,
  from: CoreId,
  request: MessageOf<'cap_retype_request'>,
  now: Nanos,
): void {
  const { op } = request;
  const reply = (error: ErrorName | null, owner: CoreId, at: Nanos): void =>
    m.exchange.tell(from, { type: 'cap_retype_reply', op, error: error === null ? 0 : ERRORS[error].code, owner }, at);
  const capability = decodeCapability(request.cap);
  const type = typeOfOrdinal(request.kind);
  if (isMalformed(capability) || type === undefined) return reply('CAPABILITY_MALFORMED', m.context.core, now);
  const refusal = m.refusalOf(request.view, capability, from);
  if (refusal !== null) return reply(refusal.error, refusal.owner, now);
  const { offset, size, count, fields } = request;
  const children = planRetype(capability, { offset, type, objectSize: size, count, fields });
  if (!children.ok) return reply(children.error, m.context.core, now);
  const range = retypeRange(children.value);
  m.serve(
    'serve_retype',
    capability,
    from,
    (own) => serve(m, own, from, op, capability, range),
    now,
    (outcome, at) => {
      if (!outcome.ok) reply(outcome.error, m.context.core, at);
    },
  );
}

function* retypeForeign(
  m: CapopsContext,
  op: OperationId,
  root: Slot,
  given: Given,
  { source, children }: { readonly source: Slot; readonly children: readonly Capability[] },
): Operation<null> {
  const { capability } = full(source);
  const owner = yield* agreeWithOwner(m, op, source, capability, given);
  let created = false;
  try {
    if (source.capability !== capability || isInDelete(source))
      throw new OperationError('CAPABILITY_NOT_FOUND', 'the source was deleted meanwhile');
    create(m, root, given, full(source).group, children);
    created = true;
    return null;
  } finally {
    m.exchange.tell(owner, { type: 'cap_retype_created', op, created }, m.now);
  }
}

function* agreeWithOwner(
  m: CapopsContext,
  op: OperationId,
  source: Slot,
  capability: Capability,
  given: Given,
): Operation<CoreId> {
  const { type, offset, objectSize, count, fields = [] } = given;
  const request = {
    type: 'cap_retype_request',
    op,
    view: m.context.view,
    cap: encodeCapability(capability),
    offset,
    kind: typeRow(type).ordinal,
    size: objectSize,
    count,
    fields,
  } as const;
  let agreed = -1;
  yield* m.askOwner(source, capability, (owner) => {
    agreed = owner;
    return m.exchange.ask(owner, request, 'cap_retype_reply');
  });
  return agreed;
}

/** The owner's half: lock, check, consent, and unlock when the requester has made its objects or is gone. */
function* serve(
  m: CapopsContext,
  own: OperationId,
  from: CoreId,
  op: OperationId,
  capability: Capability,
  range: Range,
): Operation<void> {
  const isThere = m.presenceOf(from);
  yield* failUnlessHanded(m, own, capability, from);
  const found = findOwned(m.state, capability);
  if (!found.ok) throw new OperationError(found.error, 'it changed meanwhile');
  const group = found.value;
  const free = isRetypeable(m.state, capability, range);
  if (!free.ok) throw new OperationError(free.error, 'something of the owner is in the way');
  lockGroup(group);
  let round: Multicast | null = null;
  try {
    round = yield* checkRange(m, own, group, range);
    // the requester would never report its objects
    if (!isThere()) throw new OperationError('PEER_GONE', `core ${from} is gone`);
    addRelations(m.state, group, REMOTE.descendants);
    m.exchange.tell(from, { type: 'cap_retype_reply', op, error: 0, owner: m.context.core }, m.now);
    yield* createdOrGone(m, from, op);
  } finally {
    if (round !== null) m.rounds.finishInBackground(PHASES.commit, round);
    m.unlock(group);
  }
}

function* createdOrGone(m: CapopsContext, from: CoreId, op: OperationId): Operation<void> {
  try {
    yield* m.exchange.await(from, op, 'cap_retype_created');
  } catch (error) {
    // the requester is gone: its objects, if it made any, went with it
    if (!(error instanceof OperationError)) throw error;
  }
}

/** Everybody's consent to a range of a locked source, if anybody else may have something there; null: nobody may. */
function* checkRange(m: CapopsContext, op: OperationId, group: CopyGroup, range: Range): Operation<Multicast | null> {
  const { capability } = group;
  if (typeRow(capability.type).multiRetype || (group.relations & REMOTE.descendants) === 0) return null;
  return yield* m.rounds.prepare(op, 'check_retype', { capability, rest: [range.address, range.size] });
}

/** Makes the objects if the caller's slots are still free. */
function create(
  m: CapopsContext,
  root: Slot,
  given: Given & RetypeRequest,
  group: CopyGroup,
  children: readonly Capability[],
): void {
  const slots: Result<Slot[]> = decodeDestinations(m.state, root, given.destination, children);
  if (!slots.ok) throw new OperationError(slots.error, 'the destination changed meanwhile');
  const free = isRetypeable(m.state, group.capability, retypeRange(children));
  if (!free.ok) throw new OperationError(free.error, 'something got in the way');
  createRetyped(m.state, group, children, slots.value);
}

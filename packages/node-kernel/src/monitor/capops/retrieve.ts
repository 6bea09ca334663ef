/*
 * RETRIEVE: a foreign holder pulls ownership. It becomes the owner only with the old owner's consent in hand, so a
 * failed retrieve leaves ownership where it was; it is locked from the request until everybody has been told.
 */
import { known } from '@mk/monitor-proto/assert';
import { ERRORS, type ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { decodeCapability, encodeCapability, isMalformed } from '../../capability/model/capability-codec.ts';
import { findOwned, lockGroup, setOwner } from '../../capability/global/monitor-primitives.ts';
import { addRelations, relationsForTransfer } from '../../capability/store/relations.ts';
import { type CopyGroup, full, type Slot } from '../../capability/store/slot.ts';
import { typeRow } from '../../capability/model/types.ts';
import { type Operation, OperationError } from '../operations.ts';
import type { CapopsContext } from './context.ts';
import { failUnlessHanded } from './vouch.ts';
import { announceOwner, failUnlessMoveable, transitsOver } from './move.ts';

/**
 * Makes this core the owner of the slot's capability. Ends in CAPABILITY_BUSY, NOT_MOVEABLE, CAPABILITY_NOT_FOUND or
 * PEER_GONE.
 */
export function* retrieve(m: CapopsContext, op: OperationId, slot: Slot): Operation<void> {
  const { group, capability } = full(slot);
  if (!m.state.isForeign(group)) return;
  failUnlessMoveable(capability);
  if (group.locked || m.handovers.isTelling(capability))
    throw new OperationError('CAPABILITY_BUSY', 'another operation holds it');
  lockGroup(group);
  let relations: number;
  try {
    const reply = yield* m.askOwner(slot, capability, (owner) =>
      m.exchange.ask(
        owner,
        { type: 'cap_retrieve_request', op, view: m.context.view, cap: encodeCapability(capability) },
        'cap_retrieve_reply',
      ),
    );
    relations = reply.relations;
  } catch (error) {
    m.unlock(group);
    throw error;
  }
  setOwner(m.state, group, m.context.core);
  addRelations(m.state, group, relations & 7);
  yield* announceOwner(m, op, group);
}

/** Handles a holder's request for the ownership. */
export function onRetrieveRequest(
  m: CapopsContext,
  from: CoreId,
  request: MessageOf<'cap_retrieve_request'>,
  now: Nanos,
): void {
  const { op } = request;
  const reply = (error: ErrorName | null, owner: CoreId, relations: number, at: Nanos): void =>
    m.exchange.tell(
      from,
      { type: 'cap_retrieve_reply', op, error: error === null ? 0 : ERRORS[error].code, owner, relations },
      at,
    );
  const capability = decodeCapability(request.cap);
  if (isMalformed(capability)) return reply('CAPABILITY_MALFORMED', m.context.core, 0, now);
  const refusal = m.refusalOf(request.view, capability, from);
  if (refusal !== null) return reply(refusal.error, refusal.owner, 0, now);
  if (!typeRow(capability.type).moveable) return reply('NOT_MOVEABLE', m.context.core, 0, now);
  const group = known(m.state.database.find(capability));
  m.serve(
    'yield_ownership',
    capability,
    from,
    (own) => letGo(m, own, group, from),
    now,
    (outcome, at) => {
      if (outcome.ok) reply(null, from, outcome.value, at);
      else reply(outcome.error, m.context.core, 0, at);
    },
  );
}

/** Refuses a core that went while this one waited: then nobody would be the owner. */
function* letGo(m: CapopsContext, op: OperationId, group: CopyGroup, to: CoreId): Operation<number> {
  const isThere = m.presenceOf(to);
  yield* failUnlessHanded(m, op, group.capability, to);
  const found = findOwned(m.state, group.capability);
  if (!found.ok || found.value !== group) throw new OperationError('CAPABILITY_BUSY', 'it changed meanwhile');
  lockGroup(group);
  try {
    yield* transitsOver(m, group.capability);
    if (!isThere()) throw new OperationError('PEER_GONE', `core ${to} is gone`);
    const relations = relationsForTransfer(m.state, group, true);
    m.handovers.note(group.capability, to);
    setOwner(m.state, group, to);
    return relations;
  } finally {
    m.unlock(group);
  }
}

/*
 * MOVE: the owner hands ownership to a core that holds a copy. The new owner stays locked until every member has acted
 * on update_owner, so that no second change can overtake the first. The old owner waits for its own copies in flight
 * before it lets go. A refused move leaves ownership where it was. So does a new owner that dies: the cores that it had
 * told already are told again.
 */
import type { CopyGroup } from '../../capability/store/slot.ts';
import { ERRORS, type ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { type Capability, describeCapability, isCopy } from '../../capability/model/capability.ts';
import { decodeCapability, encodeCapability, isMalformed } from '../../capability/model/capability-codec.ts';
import { findLive, lockGroup, setOwner } from '../../capability/global/monitor-primitives.ts';
import { addRelations, relationsForTransfer } from '../../capability/store/relations.ts';
import { typeRow } from '../../capability/model/types.ts';
import { coreOf } from '../agreement/finished.ts';
import type { Act } from '../agreement/round-actions.ts';
import { type Operation, OperationError, wait } from '../operations.ts';
import { wrongNewOwner } from './claims.ts';
import type { CapopsContext } from './context.ts';
import { failOnError } from './exchange.ts';
import { objectionOf } from './vouch.ts';
import { nextChange } from './waiting.ts';

/** Every holder learns who the owner is. */
export function updateOwnerAct(m: CapopsContext): Act {
  /** By round, the latest arrival of its message, while the previous owner is asked about it. */
  const asking = new Map<OperationId, object>();
  return m.rounds.act({
    wrong: (initiator, given) => wrongNewOwner(m, initiator, given),
    commit(op, { capability, rest }, answer) {
      const owner = rest[0] ?? -1;
      const before = m.state.database.find(capability)?.owner ?? owner;
      const { core, members } = m.context;
      const take = (): void => {
        noteOwner(m, op, capability, owner);
        m.handovers.heard(op, capability, owner);
        answer(null);
      };
      asking.delete(op);
      if (before === owner || before === core || !members.includes(before)) return take();
      const { askedBy } = m.agreement.rounds;
      const coming = {};
      asking.set(op, coming);
      // The previous owner knows whether it still is one. A new owner's word alone does not make it one.
      m.lookInto(
        'note_owner',
        capability,
        coreOf(op),
        () => objectionOf(m, before, capability, owner),
        m.now,
        (outcome, at) => {
          // The message arrived again meanwhile: by now it may have been answered, and the ownership have moved on.
          if (asking.get(op) !== coming) return answer('CAPABILITY_BUSY');
          asking.delete(op);
          if (!outcome.ok) return answer(outcome.error);
          if (!m.rounds.isPresent(op)) return answer('MEMBERS_CHANGED'); // gone meanwhile: it owns nothing
          if (outcome.value === null) return take();
          if (askedBy === owner && outcome.value === 'OWNER_MISMATCH')
            m.context.offences.note(owner, 'disputed', `says that it owns ${describeCapability(capability)}`, at);
          answer(outcome.value);
        },
      );
    },
  });
}

function noteOwner(m: CapopsContext, op: OperationId, capability: Capability, owner: CoreId): void {
  const group = m.state.database.find(capability);
  if (group !== undefined && group.owner !== owner && typeRow(capability.type).needsLocality) {
    setOwner(m.state, group, owner);
    if (m.context.outbox.debug)
      m.context.outbox.log('cap_owner_changed', { op, capability: describeCapability(capability), owner });
  }
}

/** Hands the ownership of a group that the caller has locked to a holder; unlocks it only on failure. */
export function* moveTo(m: CapopsContext, op: OperationId, group: CopyGroup, core: CoreId): Operation<void> {
  yield* transitsOver(m, group.capability);
  const relations = relationsForTransfer(m.state, group, true);
  const request = {
    type: 'cap_move_request',
    op,
    view: m.context.view,
    cap: encodeCapability(group.capability),
    relations,
  } as const;
  // Noted before the request: over a tree the new owner's announcement may arrive here before its reply.
  m.handovers.note(group.capability, core);
  yield* orKeep(m, op, group, takeOver(m, request, core));
  noteNewOwner(m, group, core);
}

function* takeOver(m: CapopsContext, request: MessageOf<'cap_move_request'>, core: CoreId): Operation<void> {
  failOnError(yield* m.exchange.ask(core, request, 'cap_move_reply'), core);
}

/**
 * Runs a handover of ownership. When it fails this core is still the owner, unless it has heard that the new one has
 * taken over; and when the new one is gone, the cores that may have heard of it are told.
 */
export function* orKeep<T>(m: CapopsContext, op: OperationId, group: CopyGroup, handing: Operation<T>): Operation<T> {
  const { capability } = group;
  try {
    return yield* handing;
  } catch (error) {
    if (m.state.isForeign(group)) throw error;
    m.handovers.takeBack(capability);
    if (error instanceof OperationError && error.error === 'PEER_GONE')
      yield* m.rounds.tell(`${op}.k`, 'update_owner', { capability, rest: [m.context.core] });
    throw error;
  }
}

/**
 * The old owner learns from the new one that it has taken over. It may have heard of this change another way, and of
 * further ones: a foreign group stays as the last update_owner left it.
 */
export function noteNewOwner(m: CapopsContext, group: CopyGroup, owner: CoreId): void {
  if (!m.state.isForeign(group)) setOwner(m.state, group, owner);
}

/** Handles a request to become the owner, at a holder. */
export function onMoveRequest(
  m: CapopsContext,
  from: CoreId,
  request: MessageOf<'cap_move_request'>,
  now: Nanos,
): void {
  const { op } = request;
  const reply = (error: ErrorName | null): void =>
    m.exchange.tell(from, { type: 'cap_move_reply', op, error: error === null ? 0 : ERRORS[error].code }, now);
  const capability = decodeCapability(request.cap);
  if (isMalformed(capability)) return reply('CAPABILITY_MALFORMED');
  if (request.view !== m.context.view) return reply('VIEW_STALE');
  if (!m.booted) return reply('NOT_A_MEMBER');
  const found = findLive(m.state, capability);
  if (!found.ok) return reply(found.error);
  const group = found.value;
  if (group.locked || m.handovers.isTelling(capability)) return reply('CAPABILITY_BUSY');
  if (group.owner !== from) return reply('OWNER_MISMATCH');
  lockGroup(group);
  setOwner(m.state, group, m.context.core);
  addRelations(m.state, group, request.relations & 7);
  reply(null);
  m.carryOn('take_over', capability, (own) => announceOwner(m, own, group), now);
}

/** Tells every member that this core is the owner, and unlocks when all have acted. */
export function* announceOwner(m: CapopsContext, op: OperationId, group: CopyGroup): Operation<void> {
  yield* m.rounds.tell(op, 'update_owner', { capability: group.capability, rest: [m.context.core] });
  m.unlock(group);
}

/** Waits until no copy of the capability is in flight from here. */
export function* transitsOver(m: CapopsContext, capability: Capability): Operation<void> {
  while (m.transits.has((sent) => isCopy(sent, capability))) yield* wait(nextChange(m.changes));
}

/** Refuses a capability that cannot change its owner. */
export function failUnlessMoveable(capability: Capability): void {
  if (!typeRow(capability.type).moveable)
    throw new OperationError('NOT_MOVEABLE', `${capability.type} stays with its core`);
}

/*
 * COPY (send) and giving away.
 *
 *   - Only the owner hands out copies of a single-owner capability; a foreign holder asks it. So the owner sees every
 *     copy begin.
 *   - From sending until the receiver's answer the sender answers for the copy (`Transits`): a revoke is not ready, an
 *     ownership does not change and a last copy is not deleted before the answer is in.
 *   - The receiver refuses a copy that an active mark or an agreed retype on its core excludes; the sender keeps its
 *     own.
 *   - The last copy takes the ownership with it; it stays locked here until the receiver has it.
 */
import { known } from '@mk/monitor-proto/assert';
import { ERRORS, type ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, DomainId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import {
  type Capability,
  describeCapability,
  isAncestor,
  isCopy,
  overlaps,
} from '../../capability/model/capability.ts';
import { decodeCapability, encodeCapability, isMalformed } from '../../capability/model/capability-codec.ts';
import { REMOTE } from '../../capability/store/copy-group.ts';
import { freeAddress, resolveSlot } from '../../capability/store/cspace.ts';
import type { Result } from '../../capability/model/errors.ts';
import {
  copyExisting,
  createCapability,
  deleteCopy,
  findOwned,
  isSendable,
  lockGroup,
} from '../../capability/global/monitor-primitives.ts';
import { addRelations, relationsForTransfer } from '../../capability/store/relations.ts';
import { RIGHTS } from '../../capability/model/rights.ts';
import { type CopyGroup, full, isInDelete, type Slot } from '../../capability/store/slot.ts';
import { isWeightless } from '../../capability/model/type-rules.ts';
import { typeRow } from '../../capability/model/types.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import { type Operation, OperationError } from '../operations.ts';
import { claimOf } from './claims.ts';
import type { CapopsContext } from './context.ts';
import { deleteEverywhere } from './delete.ts';
import { failOnError } from './exchange.ts';
import { noteNewOwner, orKeep } from './move.ts';
import { failUnlessHanded, needsVouching, objectionTo } from './vouch.ts';

/** The destination of a capability. */
export interface Destination {
  readonly core: CoreId;
  readonly domain: DomainId;
}

/**
 * Sends a copy of a slot's capability to a domain, on this core or another. Returns its address in that domain's
 * cspace.
 */
export function* sendCopy(
  m: CapopsContext,
  op: OperationId,
  slot: Slot,
  to: Destination,
  giveAway: boolean,
): Operation<number> {
  const { capability, group } = checkSendable(slot);
  if (to.core === m.context.core) return yield* sendLocally(m, slot, capability, to.domain, giveAway);
  if (m.state.isForeign(group)) {
    const address = yield* askOwner(m, op, slot, capability, to);
    if (giveAway) yield* dropSource(m, op, slot, capability);
    return address;
  }
  if (giveAway && isOnlyCopy(group)) return yield* giveLastAway(m, op, slot, capability, to);
  const address = yield* deliver(m, op, group, capability, to);
  if (giveAway) yield* dropSource(m, op, slot, capability);
  return address;
}

/** Serves a foreign holder's request, at the owner. */
export function onCopyRequest(
  m: CapopsContext,
  from: CoreId,
  request: MessageOf<'cap_copy_request'>,
  now: Nanos,
): void {
  const { op } = request;
  const reply = (error: ErrorName | null, slot: number, owner: CoreId, at: Nanos): void =>
    m.exchange.tell(
      from,
      { type: 'cap_copy_reply', op, error: error === null ? 0 : ERRORS[error].code, owner, slot },
      at,
    );
  const capability = decodeCapability(request.cap);
  if (isMalformed(capability)) return reply('CAPABILITY_MALFORMED', 0, m.context.core, now);
  const refusal = m.refusalOf(request.view, capability, from);
  if (refusal !== null) return reply(refusal.error, 0, refusal.owner, now);
  if (!isSendable(capability)) return reply('NOT_SENDABLE', 0, m.context.core, now);
  const { core, domain } = request;
  m.serve(
    'serve_copy',
    capability,
    from,
    (own) => serveCopy(m, own, from, capability, { core, domain }),
    now,
    (outcome, at) => reply(outcome.ok ? null : outcome.error, outcome.ok ? outcome.value : 0, m.context.core, at),
  );
}

/** Receives a copy. */
export function onReceive(m: CapopsContext, from: CoreId, request: MessageOf<'cap_receive_request'>, now: Nanos): void {
  const capability = decodeCapability(request.cap);
  if (isMalformed(capability) || !m.booted || !needsVouching(m, capability, from))
    return answerReceive(m, from, request, receive(m, from, request), now);
  const isThere = m.presenceOf(from); // a capability of a core that has gone meanwhile would never get a new owner
  m.lookInto(
    'receive',
    capability,
    from,
    (op) => objectionTo(m, op, capability, from),
    now,
    (outcome, at) => {
      const objection = outcome.ok ? outcome.value : outcome.error;
      answerReceive(m, from, request, objection ?? (isThere() ? receive(m, from, request) : 'PEER_GONE'), at);
    },
  );
}

function answerReceive(
  m: CapopsContext,
  from: CoreId,
  { op, cap }: MessageOf<'cap_receive_request'>,
  taken: number | ErrorName,
  now: Nanos,
): void {
  const error = typeof taken === 'number' ? null : taken;
  if (m.context.outbox.debug)
    m.context.outbox.log('cap_received', { op, peer: from, capability: describeWire(cap), result: error ?? 'ok' });
  m.exchange.tell(
    from,
    {
      type: 'cap_receive_reply',
      op,
      error: error === null ? 0 : ERRORS[error].code,
      slot: typeof taken === 'number' ? taken : 0,
    },
    now,
  );
}

/** Puts a local copy in a free slot of a domain of this core; returns its address. */
export function placeCopy(m: CapopsContext, source: Slot, domain: DomainId, rights: number): number {
  const receiver = m.receivers.find(domain);
  if (receiver === undefined)
    throw new OperationError('NO_SUCH_DOMAIN', `no domain ${domain} on core ${m.context.core}`);
  const { slot, address } = must(freeSlotOf(m, receiver.domain));
  copyExisting(m.state, full(source), slot, rights);
  receiver.arrived(address);
  return address;
}

function checkSendable(slot: Slot): { readonly capability: Capability; readonly group: CopyGroup } {
  const { capability, group } = slot;
  if (capability === null || group === null || isInDelete(slot))
    throw new OperationError('CAPABILITY_NOT_FOUND', 'nothing to send');
  if (!isSendable(capability)) throw new OperationError('NOT_SENDABLE', `${capability.type} cannot be sent`);
  if (group.locked) throw new OperationError('CAPABILITY_BUSY', 'another operation holds it');
  return { capability, group };
}

function* sendLocally(
  m: CapopsContext,
  slot: Slot,
  capability: Capability,
  domain: DomainId,
  giveAway: boolean,
): Operation<number> {
  const address = placeCopy(m, slot, domain, capability.rights);
  if (giveAway) deleteCopy(m.state, slot);
  return address;
}

function isOnlyCopy(group: CopyGroup): boolean {
  return (
    typeRow(group.capability.type).needsLocality && group.slots.size === 1 && (group.relations & REMOTE.copies) === 0
  );
}

function* askOwner(
  m: CapopsContext,
  op: OperationId,
  slot: Slot,
  capability: Capability,
  to: Destination,
): Operation<number> {
  const reply = yield* m.askOwner(slot, capability, (owner) =>
    m.exchange.ask(
      owner,
      {
        type: 'cap_copy_request',
        op,
        view: m.context.view,
        cap: encodeCapability(capability),
        core: to.core,
        domain: to.domain,
      },
      'cap_copy_reply',
    ),
  );
  return reply.slot;
}

function* serveCopy(
  m: CapopsContext,
  op: OperationId,
  from: CoreId,
  capability: Capability,
  to: Destination,
): Operation<number> {
  yield* failUnlessHanded(m, op, capability, from);
  const found = findOwned(m.state, capability);
  if (!found.ok) throw new OperationError(found.error, 'it changed meanwhile');
  const [source] = [...found.value.slots].filter((slot) => !isInDelete(slot));
  if (to.core === m.context.core) return placeCopy(m, known(source), to.domain, capability.rights);
  return yield* deliver(m, op, found.value, capability, to);
}

/** Sends one more copy, as the owner. */
function* deliver(
  m: CapopsContext,
  op: OperationId,
  group: CopyGroup,
  capability: Capability,
  to: Destination,
): Operation<number> {
  if (group.locked) throw new OperationError('CAPABILITY_BUSY', 'another operation holds it');
  addRelations(m.state, group, REMOTE.copies);
  const relations = relationsForTransfer(m.state, group, true);
  return yield* transfer(m, op, capability, to, m.context.core, relations);
}

function* transfer(
  m: CapopsContext,
  op: OperationId,
  capability: Capability,
  to: Destination,
  owner: CoreId,
  relations: number,
): Operation<number> {
  m.transits.begin(op, capability);
  m.given.note(to.core, capability);
  try {
    const { view } = m.context;
    const request = {
      type: 'cap_receive_request',
      op,
      view,
      cap: encodeCapability(capability),
      owner,
      relations,
      domain: to.domain,
    } as const;
    const reply = yield* m.exchange.ask(to.core, request, 'cap_receive_reply');
    failOnError(reply, to.core);
    return reply.slot;
  } finally {
    m.transits.end(op);
  }
}

function* giveLastAway(
  m: CapopsContext,
  op: OperationId,
  slot: Slot,
  capability: Capability,
  to: Destination,
): Operation<number> {
  if (!typeRow(capability.type).moveable)
    throw new OperationError('NOT_MOVEABLE', `the last copy of a ${capability.type} stays on its core`);
  const { group } = full(slot);
  // Its relatives here must know that it may be elsewhere before it is, or a revoke of one would not ask the others.
  // And until the answer is here, the new owner must know of this copy.
  addRelations(m.state, group, REMOTE.copies);
  const relations = relationsForTransfer(m.state, group, true);
  lockGroup(group);
  try {
    const address = yield* orKeep(m, op, group, transfer(m, op, capability, to, to.core, relations));
    noteNewOwner(m, group, to.core);
    return address;
  } finally {
    m.unlock(group);
    if (slot.group === group && m.state.isForeign(group)) deleteCopy(m.state, slot);
  }
}

/** Drops the sender's own copy; if that has become the owner's last one, as in every delete. */
function* dropSource(m: CapopsContext, op: OperationId, slot: Slot, capability: Capability): Operation<void> {
  if (slot.capability === capability) yield* deleteEverywhere(m, op, slot, capability);
}

/** Takes an arriving copy; returns its address, or why not. */
function receive(
  m: CapopsContext,
  from: CoreId,
  { cap, view, owner, relations, domain }: MessageOf<'cap_receive_request'>,
): number | ErrorName {
  if (!m.booted) return 'NOT_A_MEMBER';
  if (view !== m.context.view) return 'VIEW_STALE';
  const capability = decodeCapability(cap);
  if (isMalformed(capability)) return 'CAPABILITY_MALFORMED';
  const isOwned = typeRow(capability.type).needsLocality;
  if (isOwned && owner !== from && owner !== m.context.core) return 'BAD_REQUEST';
  const claim = claimOf(m, capability, from);
  if (claim === 'changing') return 'CAPABILITY_BUSY';
  if (claim === 'false') {
    const text = `hands out ${describeCapability(capability)}, which it cannot own`;
    m.context.offences.note(from, 'forged', text, m.now);
    return 'OWNER_MISMATCH';
  }
  const given = m.receivers.find(domain);
  if (given === undefined) return 'NO_SUCH_DOMAIN';
  if (guarded(m, capability) || (owner === m.context.core && m.handovers.isTelling(capability)))
    return 'CAPABILITY_BUSY';
  const free = freeSlotOf(m, given.domain);
  if (!free.ok) return free.error;
  const made = createCapability(m.state, free.value.slot, capability, owner, relations & 7);
  if (!made.ok) return made.error;
  given.arrived(free.value.address);
  return free.value.address;
}

/** Whether another core's agreed retype relies on this range staying as it was found. */
function guarded(m: CapopsContext, capability: Capability): boolean {
  if (isWeightless(capability.type)) return false;
  for (const { source, range } of m.guards.values()) {
    if (overlaps(capability, range) && !isCopy(capability, source) && !isAncestor(capability, source)) return true;
  }
  return false;
}

function freeSlotOf(m: CapopsContext, domain: Domain): Result<{ readonly slot: Slot; readonly address: number }> {
  const address = freeAddress(m.state, domain.root);
  if (!address.ok) return address;
  const slot = resolveSlot(m.state, domain.root, { address: address.value }, RIGHTS.read | RIGHTS.write);
  return slot.ok ? { ok: true, value: { slot: slot.value, address: address.value } } : slot;
}

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new OperationError(result.error, 'the receiver cannot take it');
  return result.value;
}

function describeWire(wire: readonly unknown[]): string {
  const capability = decodeCapability(wire);
  return isMalformed(capability) ? 'malformed' : describeCapability(capability);
}

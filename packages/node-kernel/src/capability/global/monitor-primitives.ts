/**
 * Operations of the CPU driver for its monitor alone (Barrelfish’s `monitor_*` invocations). Values come from other
 * cores, so they are checked and refused with a named error; slots come from our own monitor, so a wrong one is a bug
 * and asserts. See also `revoke.ts` (marks), `delete-step.ts` (stepping), `retype.ts` (range check, creation),
 * `reclaim.ts`.
 */
import { assert } from '@mk/monitor-proto/assert';
import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import { makeCapability } from '../model/capability.ts';
import type { Capability, Range } from '../model/capability.ts';
import { liveSlot, REMOTE } from '../store/copy-group.ts';
import { unfitFor } from '../store/cspace.ts';
import { noteHeld } from '../store/holds.ts';
import { deleteLastCopy, hasOtherCopies } from '../invocations/delete-step.ts';
import { refuse, succeed } from '@mk/monitor-proto/result';
import type { Result } from '../model/errors.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { copyLocally } from '../invocations/perform.ts';
import { linkMapping, place, removeCopy } from '../invocations/placement.ts';
import { addRelations, propagate } from '../store/relations.ts';
import { revokeCovering } from '../invocations/revoke.ts';
import { hasRights, RIGHTS } from '../model/rights.ts';
import { type CopyGroup, full, type FullSlot, type Slot } from '../store/slot.ts';
import { sizeAllowed } from '../model/type-rules.ts';
import { typeRow } from '../model/types.ts';

/** An empty slot of the kernel, for an operation to hold something in. */
export function allocateKernelSlot(state: LocalCapabilities): Result<Slot> {
  const slot = state.kernelSlots.freeSlot();
  return slot === null ? refuse('NO_FREE_SLOT') : succeed(slot);
}

/** The copies of a capability that another core names; refused when there are none or all are being revoked. */
export function findLive(state: LocalCapabilities, capability: Capability): Result<CopyGroup> {
  const group = state.database.find(capability);
  return group === undefined || liveSlot(group) === undefined ? refuse('CAPABILITY_NOT_FOUND') : succeed(group);
}

/** Like `findLive`, for an operation that only the owner may serialise, one at a time. */
export function findOwned(state: LocalCapabilities, capability: Capability): Result<CopyGroup> {
  const found = findLive(state, capability);
  if (!found.ok) return found;
  if (found.value.locked) return refuse('CAPABILITY_BUSY');
  return state.isForeign(found.value) ? refuse('CAPABILITY_FOREIGN') : found;
}

/** Whether the capability may leave this core at all, by type and by right. */
export function isSendable(capability: Capability): boolean {
  return typeRow(capability.type).sendable && hasRights(capability.rights, RIGHTS.grant);
}

/**
 * Inserts a capability that arrives from another core (or, at boot, from nowhere). Copies here must agree on the owner.
 */
export function createCapability(
  state: LocalCapabilities,
  slot: Slot,
  capability: Capability,
  owner: number,
  relations: number,
): Result<void> {
  const { type } = capability;
  if (!typeRow(type).sendable || !sizeAllowed(type, capability.size)) return refuse('NOT_SENDABLE');
  const unfit = unfitFor(slot, type);
  if (unfit !== null) return refuse(unfit);
  if (revokeCovering(state, capability) !== undefined) return refuse('CAPABILITY_BEING_REVOKED');
  const known = state.database.find(capability);
  if (known !== undefined && typeRow(type).needsLocality && known.owner !== owner) return refuse('OWNER_MISMATCH');
  const holder = typeRow(type).needsLocality ? owner : state.core;
  const bits = holder === state.core ? relations : relations | REMOTE.copies;
  addRelations(state, place(state, slot, capability, { owner: holder, relations: bits }), bits);
  return succeed(undefined);
}

/** Allocates RAM and puts its capability in an empty slot, owned by this core. */
export function createRam(state: LocalCapabilities, slot: Slot, bytes: number, alignment?: number): Result<void> {
  if (!Number.isSafeInteger(bytes) || bytes <= 0) return refuse('SIZE_ALIGNMENT');
  const unfit = unfitFor(slot, 'RAM');
  if (unfit !== null) return refuse(unfit);
  const range = state.ram.allocate(bytes, alignment);
  if (range === null) return refuse('OUT_OF_MEMORY');
  ramFrom(state, slot, range);
  return succeed(undefined);
}

/** Puts the capability of a newly allocated range in an empty slot. Stolen memory has its ancestor at its home. */
export function ramFrom(state: LocalCapabilities, slot: Slot, range: Range): void {
  const ram: Capability = { type: 'RAM', rights: typeRow('RAM').rights, ...range, fields: [] };
  const relations = state.homeOf(range.address) === state.core ? 0 : REMOTE.ancestors;
  place(state, slot, ram, { owner: state.core, relations });
}

/** Notes that memory of this core lies in another core's allocator, where capabilities may cover it from now on. */
export function lendMemory(state: LocalCapabilities): void {
  const { address, size } = state.memory;
  const root = state.database.find(makeCapability('PhysAddr', address, size));
  if (root !== undefined) addRelations(state, root, REMOTE.descendants);
}

/** Lends a range that was just taken from the allocator; until the borrower has it, it is accounted here. */
export function beginLoan(state: LocalCapabilities, op: OperationId, to: CoreId, range: Range): void {
  lendMemory(state);
  state.loans.depart(op, to, range);
  noteHeld(state.watches, range);
}

/** Takes memory that another core lends into this core's allocator. */
export function borrow(state: LocalCapabilities, range: Range): void {
  state.ram.release(range);
  noteHeld(state.watches, range);
}

/** Inserts a mapping made by `map` through the object in `through`; it lives and dies with that very copy. */
export function createMapping(state: LocalCapabilities, slot: Slot, mapping: Capability, through: Slot): void {
  place(state, slot, mapping, { owner: state.core, relations: 0 });
  linkMapping(state, full(slot), through);
}

/** Makes another local copy for the monitor, whatever the lock says. */
export function copyExisting(state: LocalCapabilities, source: FullSlot, destination: Slot, rights?: number): void {
  copyLocally(state, source, destination, rights);
}

export function lockGroup(group: CopyGroup): void {
  assert(!group.locked, 'a capability was locked twice');
  group.locked = true;
}

export function unlockGroup(group: CopyGroup): void {
  assert(group.locked, 'a capability was unlocked that was not locked');
  group.locked = false;
}

/** Passes ownership. The core that loses it knows from then on that a remote copy exists. */
export function setOwner(state: LocalCapabilities, group: CopyGroup, owner: number): void {
  if (!typeRow(group.capability.type).needsLocality || group.owner === owner) return;
  group.owner = owner;
  if (owner === state.core) return;
  group.relations |= REMOTE.copies;
  propagate(state, group);
}

/** Sets the bits of `mask` to those of `bits`. Setting informs local relatives; clearing does not. */
export function setRelations(state: LocalCapabilities, group: CopyGroup, bits: number, mask: number): void {
  group.relations &= ~mask | bits;
  addRelations(state, group, bits & mask);
}

/** Deletes the owner's last copy; the caller has dealt with the remote ones. CNodes and Dispatchers begin to empty. */
export function deleteLast(state: LocalCapabilities, slot: Slot): void {
  const { group, capability } = full(slot);
  assert(!hasOtherCopies(state, group), 'deleteLast of what is not the last owned copy');
  group.relations &= ~REMOTE.copies;
  group.locked = false;
  deleteLastCopy(state, { slot, capability, forced: false });
}

/** Removes one copy that is foreign, or that is not the last local one. */
export function deleteCopy(state: LocalCapabilities, slot: Slot): void {
  const copy = full(slot);
  assert(hasOtherCopies(state, copy.group), 'deleteCopy of the last owned copy');
  removeCopy(state, copy);
}

/** Removes all copies of a foreign capability, locked or not, on its owner's order. There may be none. */
export function deleteForeigns(state: LocalCapabilities, capability: Capability): Result<void> {
  const group = state.database.find(capability);
  if (group === undefined) return succeed(undefined);
  if (!state.isForeign(group)) return refuse('OWNER_MISMATCH');
  for (const slot of group.slots) removeCopy(state, slot);
  return succeed(undefined);
}

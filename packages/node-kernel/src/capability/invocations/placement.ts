/** Puts capabilities in slots and takes them out, with all consequences. Decides nothing. */
import { assert, known } from '@mk/monitor-proto/assert';
import type { Capability } from '../model/capability.ts';
import type { SharedState } from '../store/copy-group.ts';
import { CAPABILITY_LIMITS } from '../model/limits.ts';
import { noteHeld } from '../store/holds.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { propagate } from '../store/relations.ts';
import { type CopyGroup, full, type FullSlot, type Slot, SlotContainer } from '../store/slot.ts';
import { holdsSlots, isRamBacked } from '../model/type-rules.ts';
import { typeRow } from '../model/types.ts';

/** Fills an empty slot. The first copy brings the shared state; an owned CNode or Dispatcher gets its slots. */
export function place(state: LocalCapabilities, slot: Slot, capability: Capability, shared: SharedState): CopyGroup {
  const known = state.database.find(capability) !== undefined;
  const group = state.database.insert(slot, capability, shared);
  if (!known) {
    makeContainer(state, group);
    if (state.isForeign(group) || group.relations !== 0) propagate(state, group);
    if (isRamBacked(capability.type)) noteHeld(state.watches, capability);
  }
  state.changes.note({ kind: 'created', slot: slot.address, capability });
  return group;
}

/** Empties a slot; mappings made through it go first, and with the last VNode the mappings in it. */
export function removeCopy(state: LocalCapabilities, slot: FullSlot): CopyGroup {
  const { capability } = slot;
  for (const mapping of slot.mappings ?? []) removeCopy(state, mapping);
  if (typeRow(capability.type).mapping) unlinkMapping(state, slot, capability);
  state.deletions.withMonitor.delete(slot);
  const group = state.database.remove(slot);
  state.changes.note({ kind: 'deleted', slot: slot.address, capability });
  if (group.slots.size === 0 && !state.isForeign(group)) destroyObject(state, capability);
  return group;
}

/** Moves a capability to an empty slot; owner, lock and relations stay. */
export function relocate(state: LocalCapabilities, from: FullSlot, to: Slot): void {
  const { capability } = from;
  const table = typeRow(capability.type).mapping ? state.mappingsInTable.get(known(capability.fields[0])) : undefined;
  const isInTable = table?.delete(from) === true;
  state.database.move(from, to);
  if (isInTable) table?.add(full(to));
  state.changes.note({ kind: 'moved', from: from.address, to: to.address });
}

/** Records that the mapping in `slot` was made through the frame (or table) in `through`. */
export function linkMapping(state: LocalCapabilities, slot: FullSlot, through: Slot): void {
  const table = known(slot.capability.fields[0]);
  slot.mappedThrough = through;
  (through.mappings ??= new Set()).add(slot);
  const filled = state.mappingsInTable.get(table);
  if (filled === undefined) state.mappingsInTable.set(table, new Set([slot]));
  else filled.add(slot);
}

function unlinkMapping(state: LocalCapabilities, slot: FullSlot, mapping: Capability): void {
  slot.mappedThrough?.mappings?.delete(slot);
  const table = known(mapping.fields[0]);
  const filled = state.mappingsInTable.get(table);
  filled?.delete(slot);
  if (filled?.size === 0) state.mappingsInTable.delete(table);
  const run = state.pageTables.remove(table, known(mapping.fields[1]));
  if (run !== undefined) state.changes.note({ kind: 'unmapped', run });
}

function makeContainer(state: LocalCapabilities, group: CopyGroup): void {
  const { type, address, size } = group.capability;
  if (!holdsSlots(type) || state.isForeign(group)) return;
  state.containers.set(address, new SlotContainer(type, address, size / CAPABILITY_LIMITS.slotBytes));
}

function destroyObject(state: LocalCapabilities, capability: Capability): void {
  if (holdsSlots(capability.type)) {
    const container = state.containers.get(capability.address);
    assert(container === undefined || container.occupied === 0, 'a container was destroyed with contents');
    state.containers.delete(capability.address);
  }
  for (const mapping of state.mappingsInTable.get(capability.address) ?? []) {
    removeCopy(state, mapping);
  }
  if (capability.type === 'Dispatcher') removeEndpoints(state, capability);
  state.changes.note({ kind: 'destroyed', capability });
}

/**
 * Removes a dispatcher's endpoints, which end with it: they take no memory, so nothing else would keep its bytes from a
 * new owner.
 */
function removeEndpoints(state: LocalCapabilities, dispatcher: Capability): void {
  for (const group of state.database.descendantsOf(dispatcher)) {
    for (const slot of [...group.slots]) removeCopy(state, slot);
  }
}

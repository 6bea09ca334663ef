/**
 * Capability addresses. A cspace is a tree of two levels: a root L1 CNode whose slots hold L2 CNodes, whose 256 slots
 * hold anything. An address has 32 bits: 24 for the L1 index, 8 for the L2 slot. Level 1 names the L1 slot itself.
 * Every step checks for a live CNode of this core with the required right.
 */
import type { Capability } from '../model/capability.ts';
import { refuse, succeed } from '@mk/monitor-proto/result';
import type { CapabilityError, Result } from '../model/errors.ts';
import { CAPABILITY_LIMITS } from '../model/limits.ts';
import type { LocalCapabilities } from './local-capabilities.ts';
import { hasRights, RIGHTS } from '../model/rights.ts';
import { type FullSlot, isFull, isInDelete, type Slot, type SlotContainer } from './slot.ts';

/** Names a slot to the CPU driver. */
export interface SlotRef {
  readonly address: number;
  /** 2, the default: the slot of an L2 CNode. 1: the L1 slot, which holds the L2 CNode's own capability. */
  readonly level?: 1 | 2;
  /**
   * Address (level 2) of an L1 CNode that the caller holds: `address` then refers to that cspace, not to the caller's.
   */
  readonly root?: number;
}

export function capabilityAddress(l1Index: number, l2Slot: number): number {
  return l1Index * CAPABILITY_LIMITS.l2Slots + l2Slot;
}

function l1IndexOf(address: number): number {
  return Math.floor(address / CAPABILITY_LIMITS.l2Slots);
}

function l2SlotOf(address: number): number {
  return address % CAPABILITY_LIMITS.l2Slots;
}

/** The slot that `ref` names, full or empty. The CNode that holds it must carry `rights`. */
export function resolveSlot(
  state: LocalCapabilities,
  caller: Slot,
  ref: SlotRef,
  rights: number = RIGHTS.read,
): Result<Slot> {
  if (ref.root === undefined) return slotIn(state, caller, ref, rights);
  const root = lookup(state, caller, { address: ref.root }, RIGHTS.read);
  return root.ok ? slotIn(state, root.value, ref, rights) : root;
}

/** A slot with a live capability that carries `rights`. A capability that is being revoked reads as absent. */
export function lookup(
  state: LocalCapabilities,
  caller: Slot,
  ref: SlotRef,
  rights = 0,
  cnodeRights: number = RIGHTS.read,
): Result<FullSlot> {
  const found = resolveSlot(state, caller, ref, cnodeRights);
  if (!found.ok) return found;
  const slot = found.value;
  if (!isFull(slot) || isInDelete(slot)) return refuse('CAPABILITY_NOT_FOUND');
  if (!hasRights(slot.capability.rights, rights)) return refuse('MISSING_RIGHT');
  return succeed(slot);
}

/** An empty slot that the caller may fill with a capability of the given type. */
export function destination(
  state: LocalCapabilities,
  caller: Slot,
  ref: SlotRef,
  type: Capability['type'],
): Result<Slot> {
  const found = resolveSlot(state, caller, ref, RIGHTS.read | RIGHTS.write);
  if (!found.ok) return found;
  const unfit = unfitFor(found.value, type);
  return unfit === null ? found : refuse(unfit);
}

/** Why a capability of `type` cannot go in the slot; null: it can. */
export function unfitFor(slot: Slot, type: Capability['type']): CapabilityError | null {
  if (slot.capability !== null) return 'SLOT_IN_USE';
  if (slot.container.kind === 'L1CNode' && type !== 'L2CNode') return 'SLOT_TYPE';
  return slot.container.closing ? 'CAPABILITY_NOT_FOUND' : null;
}

/** The slots of the live CNode in `slot`. */
export function containerIn(
  state: LocalCapabilities,
  slot: Slot,
  kind: 'L1CNode' | 'L2CNode',
  rights: number,
): Result<SlotContainer> {
  const { capability } = slot;
  if (capability === null || isInDelete(slot)) return refuse('CAPABILITY_NOT_FOUND');
  if (capability.type !== kind) return refuse('NOT_A_CNODE');
  if (!hasRights(capability.rights, rights)) return refuse('MISSING_RIGHT');
  const container = state.containers.get(capability.address);
  return container === undefined ? refuse('CAPABILITY_FOREIGN') : succeed(container);
}

/** The address of the lowest empty slot of a cspace, for code that fills slots on behalf of its domain. */
export function freeAddress(state: LocalCapabilities, caller: Slot): Result<number> {
  const root = containerIn(state, caller, 'L1CNode', RIGHTS.read);
  if (!root.ok) return root;
  for (const l1Slot of root.value.occupiedSlots()) {
    const cnode = containerIn(state, l1Slot, 'L2CNode', RIGHTS.read | RIGHTS.write);
    const free = cnode.ok ? cnode.value.freeSlot() : null;
    if (free !== null && !free.container.closing) return succeed(capabilityAddress(l1Slot.index, free.index));
  }
  return refuse('NO_FREE_SLOT');
}

function slotIn(state: LocalCapabilities, rootSlot: Slot, ref: SlotRef, rights: number): Result<Slot> {
  const { address, level = 2 } = ref;
  if (!Number.isSafeInteger(address) || address < 0 || address >= 2 ** 32) return refuse('ADDRESS_OUT_OF_RANGE');
  const root = containerIn(state, rootSlot, 'L1CNode', level === 1 ? rights : RIGHTS.read);
  if (!root.ok) return root;
  const index = l1IndexOf(address);
  if (index >= root.value.capacity) return refuse('ADDRESS_OUT_OF_RANGE');
  if (level === 1) return succeed(root.value.slot(index));
  const l1Slot = root.value.peek(index);
  if (l1Slot === undefined) return refuse('CAPABILITY_NOT_FOUND');
  const cnode = containerIn(state, l1Slot, 'L2CNode', rights);
  return cnode.ok ? succeed(cnode.value.slot(l2SlotOf(address))) : cnode;
}

/** Slots, which hold capabilities, and their containers: CNodes, Dispatchers, the kernel's own table. */
import { assert } from '@mk/monitor-proto/assert';
import type { Capability } from '../model/capability.ts';
import { CAPABILITY_LIMITS } from '../model/limits.ts';

export interface Slot {
  readonly container: SlotContainer;
  readonly index: number;
  /** The physical address of the slot's 64 bytes, unique on the core; negative for slots of the kernel. */
  readonly address: number;
  capability: Capability | null;
  /** The copies on this core of the capability here; null exactly when the slot is empty. */
  group: CopyGroup | null;
  /** How many revokes in progress have frozen this slot. */
  marks: number;
  /** On the delete list, or being emptied: the capability will not come back. */
  deleting: boolean;
  /** Slots of the mappings made through the frame in this slot. */
  mappings: Set<FullSlot> | null;
  /** For a mapping: the slot of the frame that it was made through. */
  mappedThrough: Slot | null;
}

/**
 * All copies of one capability on one core, with the state that they share. Keeping owner, lock and relation bits here
 * rather than in each slot makes "all local copies agree" true by construction (Barrelfish walks the neighbours). A
 * group is also a node of the mapping database's tree.
 */
export interface CopyGroup {
  /** The identity of the copies; its rights mean nothing. */
  readonly capability: Capability;
  /** In order of arrival; `NO_SLOTS` once the last one is gone. */
  slots: Set<FullSlot>;
  /** The core that serialises operations on the capability. */
  owner: number;
  /** An operation of the owner, or a change of owner, is in progress. */
  locked: boolean;
  relations: number;

  // The fields from here on belong to the tree (interval-tree.ts).
  /** The capability's address. */
  readonly address: number;
  left: CopyGroup | null;
  right: CopyGroup | null;
  level: number;
  maxEnd: number;
}

/**
 * A slot with content: `capability` and `group` are set and emptied together. The narrowing holds only until the slot
 * is emptied.
 */
export interface FullSlot extends Slot {
  capability: Capability;
  group: CopyGroup;
}

export function isFull(slot: Slot): slot is FullSlot {
  return slot.capability !== null;
}

/** Narrows a slot that our own code knows to be full. */
export function full(slot: Slot): FullSlot {
  assert(isFull(slot), 'a slot that should hold a capability is empty');
  return slot;
}

export type ContainerKind = 'L1CNode' | 'L2CNode' | 'Dispatcher' | 'kernel';

/**
 * Whether a slot is frozen by a revoke or being deleted, and so reads as absent to all but the operation that froze it.
 */
export function isInDelete(slot: Slot): boolean {
  return slot.deleting || slot.marks > 0;
}

/** A fixed number of slots at an address, each created on first use. */
export class SlotContainer {
  readonly kind: ContainerKind;
  readonly address: number;
  readonly capacity: number;
  occupied = 0;
  /** The object is being deleted: nothing new may go here. */
  closing = false;
  private readonly slots: (Slot | undefined)[] = [];
  /** Every slot below is occupied. */
  private searchFrom = 0;

  constructor(kind: ContainerKind, address: number, capacity: number) {
    this.kind = kind;
    this.address = address;
    this.capacity = capacity;
  }

  /** The slot at `index`, which must lie within the capacity. */
  slot(index: number): Slot {
    const known = this.slots[index];
    if (known !== undefined) return known;
    const fresh = newSlot(this, index);
    while (this.slots.length <= index) this.slots.push(undefined);
    this.slots[index] = fresh;
    return fresh;
  }

  /** The slot at `index` if it was ever used; never creates one. */
  peek(index: number): Slot | undefined {
    return this.slots[index];
  }

  /** One more than the highest index ever used. */
  get extent(): number {
    return this.slots.length;
  }

  /** The lowest empty slot, or null when all are occupied. */
  freeSlot(): Slot | null {
    while (this.searchFrom < this.slots.length && this.slots[this.searchFrom]?.capability) this.searchFrom += 1;
    return this.searchFrom < this.capacity ? this.slot(this.searchFrom) : null;
  }

  noteFilled(): void {
    this.occupied += 1;
  }

  noteEmptied(index: number): void {
    this.occupied -= 1;
    if (index < this.searchFrom) this.searchFrom = index;
  }

  /** Every occupied slot, by index. */
  *occupiedSlots(): Generator<FullSlot> {
    for (const slot of this.slots) if (slot !== undefined && isFull(slot)) yield slot;
  }
}

function newSlot(container: SlotContainer, index: number): Slot {
  const offset = index * CAPABILITY_LIMITS.slotBytes;
  const address = container.kind === 'kernel' ? -(offset + CAPABILITY_LIMITS.slotBytes) : container.address + offset;
  return {
    container,
    index,
    address,
    capability: null,
    group: null,
    marks: 0,
    deleting: false,
    mappings: null,
    mappedThrough: null,
  };
}

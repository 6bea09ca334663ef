/**
 * All copies of one capability on one core, with the state that they share. Keeping owner, lock and relation bits here
 * rather than in each slot makes "all local copies agree" true by construction (Barrelfish walks the neighbours).
 * A group is also a node of the mapping database's tree.
 */
import type { Capability } from '../model/capability.ts';
import type { Slot } from './slot.ts';
import { isInDelete } from './slot.ts';

/** Bits of `relations`: what may exist on other cores. Conservative: set may be stale, clear is certain. */
export const REMOTE = { copies: 1, ancestors: 2, descendants: 4 } as const;

export interface CopyGroup {
  /** The identity of the copies; the rights of this value mean nothing. */
  readonly capability: Capability;
  /** In the order in which they came; `NO_SLOTS` once the last one is gone. */
  slots: Set<Slot>;
  /** The core that serialises operations on the capability. */
  owner: number;
  /** An operation of the owner or of a change of owner is in progress. */
  locked: boolean;
  relations: number;

  // The tree's own: see interval-tree.ts.
  /** Of the capability. */
  readonly address: number;
  left: CopyGroup | null;
  right: CopyGroup | null;
  level: number;
  maxEnd: number;
}

/**
 * Shared, and always empty: of groups that are out of the database. Deleting the last element of a set makes a new table instead,
 * and a group that has grown old keeps that alive: a young collection while 10,000 slots are deleted copied 0.6 MB, now 0.2.
 */
export const NO_SLOTS: Set<Slot> = new Set();

export interface SharedState {
  readonly owner: number;
  readonly relations: number;
  readonly locked?: boolean;
}

export function newGroup(capability: Capability, state: SharedState): CopyGroup {
  return {
    capability,
    slots: new Set(),
    owner: state.owner,
    locked: state.locked ?? false,
    relations: state.relations,
    address: capability.address,
    left: null,
    right: null,
    level: 1,
    maxEnd: capability.address + capability.size,
  };
}

/** The slots in the order of the mapping database: by address. */
export function sortedSlots(group: CopyGroup): Slot[] {
  return [...group.slots].sort((a, b) => a.address - b.address);
}

/** Any copy that is not frozen or on its way out, or undefined. */
export function liveSlot(group: CopyGroup): Slot | undefined {
  for (const slot of group.slots) if (!isInDelete(slot)) return slot;
  return undefined;
}

/** Any copy at all; a group in the database has at least one. */
export function anySlot(group: CopyGroup): Slot {
  for (const slot of group.slots) return slot;
  throw new Error('a copy group without slots');
}

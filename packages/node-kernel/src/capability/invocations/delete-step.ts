/**
 * Deletion in bounded steps. A step touches at most `budget` slots, so that emptying a large CNode never holds the
 * core; the monitor calls `deleteStep` again until it returns `idle`. Order: the delete list, then the contents of
 * containers on their way out, then the emptied containers themselves.
 */
import { assert, known } from '@mk/monitor-proto/assert';
import { REMOTE } from '../store/copy-group.ts';
import type { ClearEntry, DeleteEntry } from '../store/deletion-queue.ts';
import { CAPABILITY_LIMITS } from '../model/limits.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { removeCopy } from './placement.ts';
import { reclaimObject } from '../global/reclaim.ts';
import { type CopyGroup, full, isFull, type Slot } from '../store/slot.ts';
import { holdsSlots } from '../model/type-rules.ts';
import { typeRow } from '../model/types.ts';

export interface StepResult {
  /**
   * `idle`: nothing left. `more`: call again. `paused`: a revoke is between mark and commit. `waiting`: the rest waits
   * for a lock or for the monitor. `last_owned`: `slot` is the owner's last copy and other cores may have copies; the
   * monitor deletes it across cores (and may `enqueue` it again).
   */
  readonly state: 'idle' | 'more' | 'paused' | 'waiting' | 'last_owned';
  readonly slot?: Slot;
}

/** An empty slot of a container costs less than a unit of budget. */
const SCANNED_PER_UNIT = 32;

/** Does up to `budget` units of deletion. */
export function deleteStep(state: LocalCapabilities, budget: number = CAPABILITY_LIMITS.stepBudget): StepResult {
  const queue = state.deletions;
  if (queue.drained) return { state: 'idle' };
  if (queue.paused) return { state: 'paused' };
  let blocked = 0;
  for (let spent = 0; spent < budget; spent += 1) {
    if (blocked < queue.list.length) {
      const entry = known(queue.list.shift());
      const verdict = deleteEntry(state, entry);
      if (verdict === 'last_owned') return { state: 'last_owned', slot: entry.slot };
      blocked = verdict === 'locked' ? blocked + 1 : 0;
    } else if (!clearOne(state)) {
      return { state: queue.drained ? 'idle' : 'waiting' };
    }
  }
  return { state: queue.drained ? 'idle' : 'more' };
}

/** Whether the copy may simply go: another local one remains, or the owner elsewhere keeps the object. */
export function hasOtherCopies(state: LocalCapabilities, group: CopyGroup): boolean {
  return group.slots.size > 1 || state.isForeign(group);
}

/** Whether other cores may hold copies that the owner must deal with before its last copy goes. */
export function mayHaveRemoteCopies(group: CopyGroup): boolean {
  return typeRow(group.capability.type).needsLocality && (group.relations & REMOTE.copies) !== 0;
}

/** Deletes the owner's last copy: at once, or for a CNode or Dispatcher by putting it on the clear list. */
export function deleteLastCopy(state: LocalCapabilities, entry: DeleteEntry): void {
  const { slot, capability } = entry;
  state.deletions.withMonitor.delete(slot);
  if (!holdsSlots(capability.type)) return finish(state, slot);
  const container = state.containers.get(capability.address);
  assert(container !== undefined, 'an owned CNode or Dispatcher without slots');
  if (container.closing) return;
  if (capability.type === 'Dispatcher') state.changes.note({ kind: 'stopped', capability });
  slot.deleting = true;
  container.closing = true;
  state.deletions.clear.push({ entry, container, cursor: 0 });
}

function finish(state: LocalCapabilities, slot: Slot): void {
  const group = removeCopy(state, full(slot));
  if (group.slots.size === 0) reclaimObject(state, group);
}

function deleteEntry(state: LocalCapabilities, entry: DeleteEntry): 'done' | 'locked' | 'last_owned' {
  const { slot, capability, forced } = entry;
  if (!isFull(slot) || slot.capability !== capability) return 'done';
  const { group } = slot;
  const another = hasOtherCopies(state, group);
  // A revoke holds the lock of its own target while the other copies go; after commit the target itself may go too.
  const revoked = state.committed.has(group);
  if (group.locked && !(forced && another) && !revoked) {
    state.deletions.list.push(entry);
    return 'locked';
  }
  if (another) {
    removeCopy(state, slot);
    return 'done';
  }
  if (!forced && !revoked && mayHaveRemoteCopies(group)) {
    state.deletions.withMonitor.add(slot);
    return 'last_owned';
  }
  deleteLastCopy(state, entry);
  return 'done';
}

/** One unit of the clear list; false when nothing on it can proceed now. */
function clearOne(state: LocalCapabilities): boolean {
  const { clear } = state.deletions;
  for (let tried = clear.length; tried > 0; tried -= 1) {
    const item = known(clear.shift());
    if (item.container.occupied === 0) {
      finish(state, item.entry.slot);
      return true;
    }
    clear.push(item);
    if (item.cursor < item.container.extent) {
      scan(state, item);
      return true;
    }
  }
  return false;
}

function scan(state: LocalCapabilities, item: ClearEntry): void {
  const end = Math.min(item.cursor + SCANNED_PER_UNIT, item.container.extent);
  for (; item.cursor < end; item.cursor += 1) {
    const slot = item.container.peek(item.cursor);
    if (slot?.group) for (const doomed of doomedWith(slot, item)) state.deletions.enqueue(doomed);
  }
}

/** A domain ends with its dispatcher, so all copies of its root CNode go, including those inside the cspace itself. */
function doomedWith(slot: Slot, item: ClearEntry): Slot[] {
  const isRoot = item.container.kind === 'Dispatcher' && slot.capability?.type === 'L1CNode';
  return isRoot ? [...full(slot).group.slots] : [slot];
}

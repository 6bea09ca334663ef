/**
 * The local half of revoke: freeze on mark, delete on commit, thaw on abort. A mark deletes nothing and is all or
 * nothing: a locked copy or descendant means "wait for that lock"; descendants are found at any depth. While a mark
 * stands, nothing that it covers is accepted.
 */
import { assert, known } from '@mk/monitor-proto/assert';
import { isAncestor, isCopy } from '../model/capability.ts';
import type { Capability } from '../model/capability.ts';
import type { RevokeMark } from '../store/holds.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { full, type CopyGroup, type Slot } from '../store/slot.ts';

export type MarkResult =
  { readonly ok: true; readonly mark: RevokeMark } | { readonly ok: false; readonly locked: CopyGroup };

/**
 * On the revoking core: freezes every other copy of the capability in `survivor` and all descendants, and pauses
 * deletion. The caller holds the lock of the target.
 */
export function revokeMarkTarget(state: LocalCapabilities, survivor: Slot): MarkResult {
  return freeze(state, full(survivor).capability, survivor);
}

/** On any other core: freezes every copy and all descendants, and pauses deletion. There may be none. */
export function revokeMarkRelations(state: LocalCapabilities, target: Capability): MarkResult {
  return freeze(state, target, null);
}

/** Puts everything frozen on the delete list, deepest first, and resumes deletion. */
export function revokeCommit(state: LocalCapabilities, mark: RevokeMark): void {
  lift(state, mark);
  for (let i = mark.frozen.length - 1; i >= 0; i -= 1) {
    const { slot, capability } = known(mark.frozen[i]);
    if (slot.capability === capability) state.deletions.enqueue(slot, true);
  }
}

/** Thaws everything that no other revoke has frozen, and resumes deletion. */
export function revokeAbort(state: LocalCapabilities, mark: RevokeMark): void {
  lift(state, mark);
}

/**
 * Resumes deletion under a mark that nobody will lift soon, because others wait for it; the frozen slots stay frozen.
 */
export function letDeletionGoOn(state: LocalCapabilities, mark: RevokeMark): void {
  if (mark.pausesDeletion) state.deletions.resume();
  mark.pausesDeletion = false;
}

/** The revoke in progress on this core that covers the capability, or undefined. */
export function revokeCovering(state: LocalCapabilities, capability: Capability): RevokeMark | undefined {
  for (const mark of state.revokes) {
    if (isCopy(mark.target, capability) || isAncestor(mark.target, capability)) return mark;
  }
  return undefined;
}

function freeze(state: LocalCapabilities, target: Capability, survivor: Slot | null): MarkResult {
  const groups = state.database.descendantsOf(target);
  const locked = groups.find((group) => group.locked);
  if (locked !== undefined) return { ok: false, locked };
  const copies = state.database.find(target);
  if (survivor === null && copies?.locked) return { ok: false, locked: copies };
  if (copies !== undefined) groups.unshift(copies);
  const frozen: RevokeMark['frozen'][number][] = [];
  for (const group of groups)
    for (const slot of group.slots) if (slot !== survivor) frozen.push({ slot, capability: slot.capability });
  for (const { slot } of frozen) slot.marks += 1;
  const mark: RevokeMark = { target, survivor, frozen, pausesDeletion: true };
  state.revokes.add(mark);
  state.deletions.pause();
  return { ok: true, mark };
}

function lift(state: LocalCapabilities, mark: RevokeMark): void {
  assert(state.revokes.delete(mark), 'a revoke was finished twice');
  for (const { slot, capability } of mark.frozen) if (slot.capability === capability) slot.marks -= 1;
  letDeletionGoOn(state, mark);
}

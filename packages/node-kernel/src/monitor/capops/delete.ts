/*
 * DELETE. A foreign copy, or one of several, vanishes without a message. The owner's last copy: the ownership of a
 * moveable type goes to any other holder; of another type every foreign copy goes first. With the owner's lock held and
 * its copies in flight arrived, no new holder can appear, so a copy that nobody has does not exist. A step that the
 * lock or another core's state prevents is retried until it succeeds: nothing is decided twice.
 */
import type { Answer } from '@mk/monitor-proto/messages/fields';
import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import { ERRORS } from '@mk/monitor-proto/errors';
import type { Capability } from '../../capability/model/capability.ts';
import { liveSlot, REMOTE } from '../../capability/store/copy-group.ts';
import { hasOtherCopies, mayHaveRemoteCopies } from '../../capability/invocations/delete-step.ts';
import {
  deleteCopy,
  deleteForeigns,
  deleteLast,
  lockGroup,
  setRelations,
} from '../../capability/global/monitor-primitives.ts';
import { type CopyGroup, full, type Slot } from '../../capability/store/slot.ts';
import { typeRow } from '../../capability/model/types.ts';
import { coreOf } from '../agreement/finished.ts';
import type { Act } from '../agreement/round-actions.ts';
import { type Operation, OperationError, wait } from '../operations.ts';
import { onlyOwner } from './claims.ts';
import type { CapopsContext } from './context.ts';
import { moveTo, transitsOver } from './move.ts';
import { pause } from '../waits.ts';
import { wasHanded } from './vouch.ts';
import { nextChange } from './waiting.ts';

/** A holder of a copy refuses with CAPABILITY_HELD. */
export function findCopyAct(m: CapopsContext): Act {
  return m.rounds.act({
    wrong: onlyOwner(m),
    commit(op, { capability }, answer) {
      if (coreOf(op) === m.context.core) return answer(null); // the initiator knows its own copies
      const group = m.state.database.find(capability);
      if (group === undefined) return answer(null);
      const unsettled = liveSlot(group) === undefined || group.locked || !m.state.isForeign(group);
      answer(unsettled ? 'CAPABILITY_BUSY' : 'CAPABILITY_HELD');
    },
  });
}

/** Every foreign copy goes. */
export function deleteRemoteAct(m: CapopsContext): Act {
  return m.rounds.act({
    wrong: onlyOwner(m),
    commit(_op, { capability }, answer) {
      const group = m.state.database.find(capability);
      if (group !== undefined && m.state.isForeign(group)) {
        deleteForeigns(m.state, capability);
      }
      m.whenSettled(() => answer(null));
    },
  });
}

/** Deletes a slot's capability, on every core if need be; done when the slot is empty, a CNode's contents included. */
export function* deleteEverywhere(
  m: CapopsContext,
  op: OperationId,
  slot: Slot,
  capability: Capability,
): Operation<void> {
  for (let attempt = 0; slot.capability === capability && !isBeingEmptied(m, slot, capability); attempt += 1) {
    const { group } = full(slot);
    if (group.locked || slot.marks > 0) {
      yield* wait(nextChange(m.changes));
      continue;
    }
    if (hasOtherCopies(m.state, group)) {
      deleteCopy(m.state, slot);
      break;
    }
    lockGroup(group);
    const settled = yield* deleteLocked(m, `${op}.${attempt}`, slot, capability, group);
    if (!settled) yield* pause(m.context.timers, attempt);
  }
  while (slot.capability === capability) yield* wait(nextChange(m.changes));
}

/** Whether the container is on the clear list already, so that only its end need be awaited. */
function isBeingEmptied(m: CapopsContext, slot: Slot, { address }: Capability): boolean {
  return slot.deleting && m.state.containers.get(address)?.closing === true && slot.group?.slots.size === 1;
}

/** One attempt with the lock held; false: something was in the way, and the lock is free again. */
function* deleteLocked(
  m: CapopsContext,
  op: OperationId,
  slot: Slot,
  capability: Capability,
  group: CopyGroup,
): Operation<boolean> {
  let settled = false;
  try {
    yield* transitsOver(m, capability);
    if (mayHaveRemoteCopies(group)) settled = yield* clearRemote(m, op, group);
    else settled = true;
  } finally {
    if (slot.group === group && (!settled || m.state.isForeign(group) || hasOtherCopies(m.state, group)))
      m.unlock(group);
  }
  if (slot.group === group && settled && !m.state.isForeign(group) && !hasOtherCopies(m.state, group)) {
    deleteLast(m.state, slot);
    m.locksChanged();
  }
  return settled;
}

/** Clears the copies elsewhere: afterwards there are none, or another core is the owner. */
function* clearRemote(m: CapopsContext, op: OperationId, group: CopyGroup): Operation<boolean> {
  const { capability } = group;
  if (!typeRow(capability.type).moveable) {
    yield* m.rounds.tell(op, 'delete_remote', { capability, rest: [] });
    setRelations(m.state, group, 0, REMOTE.copies);
    return true;
  }
  const found = yield* m.rounds.ask(op, 'find_copy', { capability, rest: [] });
  const isHeld = ([, code]: Answer): boolean => code === ERRORS.CAPABILITY_HELD.code;
  for (const [core] of found.refusals.filter(isHeld)) {
    const handed = yield* wasHanded(m, `${op}.h${core}`, capability, core);
    if (handed === null) return false;
    if (handed) return yield* tryMove(m, op, group, core);
  }
  const left = found.refusals.filter((answer) => m.context.monitors.has(answer[0]) && !isHeld(answer));
  if (left.length > 0) return false;
  setRelations(m.state, group, 0, REMOTE.copies);
  return true;
}

function* tryMove(m: CapopsContext, op: OperationId, group: CopyGroup, core: CoreId): Operation<boolean> {
  try {
    yield* moveTo(m, op, group, core);
    return true;
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    return false; // the new owner lost or locked its copy meanwhile: look again
  }
}

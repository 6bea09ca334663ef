/*
 * A revoke whose initiator is gone. Each core that it had marked completes the same revoke, under an operation of its
 * own, unless a core that it had not marked has become the owner (recover.ts): then nothing has been deleted anywhere,
 * and the revoke is given up. Memory that a dead initiator had collected stays unclaimed (C5).
 */
import type { OperationId } from '@mk/monitor-proto/ids';
import { letDeletionGoOn } from '../../capability/invocations/revoke.ts';
import { type Capability, describeCapability, isCopy } from '../../capability/model/capability.ts';
import type { RevokeMark } from '../../capability/store/holds.ts';
import { coreOf } from '../agreement/finished.ts';
import type { Multicast } from '../agreement/multicast.ts';
import { PHASES } from '../agreement/round-actions.ts';
import { type Operation, OperationError } from '../operations.ts';
import { pause } from '../waits.ts';
import { hasOtherOwner } from './claims.ts';
import type { CapopsContext } from './context.ts';
import { pairs, type Reclaims } from './reclaim.ts';

/** This core's part in another core's revoke. */
interface MarkedPart {
  readonly op: OperationId;
  readonly target: Capability;
  readonly mark: RevokeMark | null;
}

/** How this core's part ends. */
interface PartEnds {
  commit(): void;
  abort(): void;
}

/** Completes the revoke of a core that is gone, in the background. */
export function takeOverRevoke(m: CapopsContext, reclaims: Reclaims, part: MarkedPart, ends: PartEnds): void {
  const { op, target, mark } = part;
  m.context.outbox.log('cap_revoke_takeover', { op, member: coreOf(op), capability: describeCapability(target) });
  // The mark may stand for long, and a core that it has not reached may hold a lock until something is deleted here.
  if (mark !== null) letDeletionGoOn(m.state, mark);
  m.locksChanged();
  m.carryOn('finish_revoke', target, (own) => finishFor(m, reclaims, own, target, ends), m.now);
}

/** All cores marked by a dead initiator finish its revoke while the lowest holder adopts the target: no offence. */
export function isTakenOver(m: CapopsContext, parts: Iterable<MarkedPart>, given: Capability): boolean {
  for (const { op, target } of parts) if (isCopy(target, given) && !m.rounds.isPresent(op)) return true;
  return false;
}

/** Marks again; once everybody is ready the old mark commits here, then everybody. */
function* finishFor(
  m: CapopsContext,
  reclaims: Reclaims,
  own: OperationId,
  target: Capability,
  ends: PartEnds,
): Operation<void> {
  const round = yield* prepareUntilReady(m, own, target);
  if (round === null) return ends.abort();
  ends.commit();
  reclaims.offer(pairs(yield* m.rounds.finish(PHASES.commit, round)));
}

/** Null: the target has an owner, and it is not this core. */
function* prepareUntilReady(m: CapopsContext, op: OperationId, target: Capability): Operation<Multicast | null> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return yield* m.rounds.prepare(`${op}.${attempt}`, 'revoke', { capability: target, rest: [] });
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      if (error.error === 'OWNER_MISMATCH' || hasOtherOwner(m, target)) return null;
      yield* pause(m.context.timers, attempt);
    }
  }
}

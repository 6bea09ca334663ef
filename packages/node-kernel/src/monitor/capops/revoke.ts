/*
 * REVOKE: mark → ready → commit → done, as the two phases of one agreement round over a dissemination plan.
 *
 *   mark    each core freezes its copies and all descendants, at any depth, asks its subscribers, and waits until
 *           nothing of it is in flight from here; then it is ready. Nothing is deleted before the last ready.
 *   commit  goes exactly where mark went; each core deletes what it froze and is done when nothing of it is left.
 *
 *   - The revoker owns and locks its target first, so no copy of it begins after.
 *   - A capability that arrives under a mark is refused, and its sender is not ready before it knows: at the last ready
 *     every copy and descendant on any member is frozen. The mark may overtake a copy; the order of links is free.
 *   - A mark that meets a lock waits for it, but not for ever: past `revokeLockWaitNs` it refuses, everybody thaws, and
 *     the caller's library retries. So no two revokes wait for each other for ever.
 *   - After commit only deletion is left. The target's lock blocks everything else: a revoke whose target lies under
 *     another revoke, or in a CNode made of its own memory, still ends.
 *   - Memory is offered to its home only when every core is done: a frozen foreign copy elsewhere would still cover it.
 *
 * When the initiator is gone, each core that it had marked completes the same revoke (revoke-takeover.ts).
 */
import { assertInvariant, known } from '@mk/monitor-proto/assert';
import type { CoreId, Incarnation, OperationId } from '@mk/monitor-proto/ids';
import type { ErrorName } from '@mk/monitor-proto/errors';
import { limit } from '@mk/monitor-proto/limits';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import {
  type Capability,
  covers,
  describeCapability,
  isAncestor,
  isCopy,
  type Range,
} from '../../capability/model/capability.ts';
import type { ReclaimCandidate } from '../../capability/model/changes.ts';
import { REMOTE } from '../../capability/store/copy-group.ts';
import { lockGroup, setRelations } from '../../capability/global/monitor-primitives.ts';
import { unionRanges } from '../../capability/model/ranges.ts';
import {
  revokeAbort,
  revokeCommit,
  revokeMarkRelations,
  revokeMarkTarget,
} from '../../capability/invocations/revoke.ts';
import type { RevokeMark } from '../../capability/store/holds.ts';
import { type CopyGroup, full, isInDelete, type Slot } from '../../capability/store/slot.ts';
import { typeRow } from '../../capability/model/types.ts';
import { type Act, PHASES } from '../agreement/round-actions.ts';
import { type Operation, OperationError } from '../operations.ts';
import { ByInitiator } from './by-core.ts';
import { onlyOwner } from './claims.ts';
import type { CapopsContext } from './context.ts';
import { coreOf, isBegunBy } from '../agreement/finished.ts';
import type { CapabilityPayload } from './payload.ts';
import { pairs, type Reclaims } from './reclaim.ts';
import { retrieve } from './retrieve.ts';
import { isTakenOver, takeOverRevoke } from './revoke-takeover.ts';
import type { Stepper } from './stepper.ts';
import { needsVouching, objectionTo } from './vouch.ts';

/** One core's part in one revoke. */
interface Part {
  readonly op: OperationId;
  readonly target: Capability;
  mark: RevokeMark | null;
  committed: boolean;
  /** Frozen slots below it have been emptied. */
  cursor: number;
  readonly candidates: Range[];
  /** Votes of the phase not yet answered. */
  answer: ((refusal: ErrorName | null, data?: readonly number[]) => void) | null;
  timer: Timer | null;
  stopWaiting: (() => void) | null;
}

export class Revokes {
  /** Revokes that this core takes part in, its own included. */
  readonly parts = new ByInitiator<Part>(limit('arrivalsPerSender'));
  /** The slots that survive this core's own revokes. */
  private readonly survivors = new Map<OperationId, Slot>();
  /** This core's own committed revokes, with the memory freed since this core itself was done. */
  private readonly committed = new Map<OperationId, { readonly target: Capability; readonly freed: Range[] }>();
  readonly act: Act;

  constructor(
    private readonly m: CapopsContext,
    private readonly reclaims: Reclaims,
    private readonly stepper: Stepper,
  ) {
    stepper.afterEachTurn(() => this.progress());
    this.act = m.rounds.act({
      wrong: (initiator, given) => {
        const wrong = onlyOwner(m)(initiator, given);
        return wrong !== null && isTakenOver(m, this.parts.values(), given.capability) ? 'CAPABILITY_BUSY' : wrong;
      },
      prepare: (op, given, answer) => this.mark(op, given, answer),
      commit: (op, _given, answer) => this.commit(op, answer),
      abort: (op, _given, answer) => this.abort(op, answer),
    });
  }

  /** Revokes the slot's capability on every core: only the slot itself is left. Returns the number of messages. */
  *run(op: OperationId, slot: Slot): Operation<{ readonly cores: number; readonly messages: number }> {
    const { m } = this;
    const group = this.live(slot);
    if (m.state.isForeign(group)) yield* retrieve(m, `${op}.r`, slot);
    if (this.live(slot) !== group || group.locked)
      throw new OperationError('CAPABILITY_BUSY', 'another operation holds it');
    lockGroup(group);
    this.survivors.set(op, slot);
    try {
      return yield* this.runLocked(op, slot, group);
    } finally {
      this.survivors.delete(op);
      m.state.committed.delete(group);
      m.unlock(group);
    }
  }

  /** Collects memory freed here: a revoke keeps its own until every core is done; the rest goes home. */
  collectFreed(): void {
    for (const candidate of this.m.takeFreed()) if (!this.keep(candidate)) this.reclaims.take(candidate);
  }

  /** Keeps memory that a revoke freed on this core until every core is done. False: no revoke in progress covers it. */
  private keep(candidate: ReclaimCandidate): boolean {
    if (candidate.certain && candidate.home === this.m.context.core) return false;
    const kept = this.keptWith(candidate);
    if (kept === undefined) return false;
    const range = { address: candidate.address, size: candidate.size };
    kept.push(range);
    this.reclaims.entrust([range]);
    return true;
  }

  /** Finishes the revokes of a core that is gone. */
  peerGone(core: CoreId, incarnation: Incarnation): void {
    for (const part of [...this.parts.values()]) {
      if (isBegunBy(part.op, core, incarnation) && !part.committed) this.takeOver(part);
    }
  }

  /** CR1. Throws AssertionFailure. */
  invariants(): void {
    for (const { op, mark, committed, answer } of this.parts.values())
      assertInvariant(
        'CR1',
        mark !== null || (!committed && answer !== null),
        () => `${op} has neither mark nor vote to give`,
      );
  }

  /** Deletion has progressed: a part whose frozen slots are all empty is done. */
  progress(): void {
    this.collectFreed();
    for (const part of this.parts.values()) if (part.committed) this.finishIfEmpty(part);
  }

  /** The memory freed so far by a revoke in progress that covers the candidate. */
  private keptWith(candidate: ReclaimCandidate): Range[] | undefined {
    const covering = (target: Capability): boolean => typeRow(target.type).addressed && covers(target, candidate);
    // Done here, but not everywhere: the survivor itself was deleted while other cores still hold frozen copies of it.
    for (const { target, freed } of this.committed.values()) if (covering(target)) return freed;
    for (const { committed, target, candidates } of this.parts.values())
      if (committed && covering(target)) return candidates;
    return undefined;
  }

  private live(slot: Slot): CopyGroup {
    if (slot.group === null || isInDelete(slot)) throw new OperationError('CAPABILITY_NOT_FOUND', 'nothing to revoke');
    return slot.group;
  }

  private *runLocked(
    op: OperationId,
    slot: Slot,
    group: CopyGroup,
  ): Operation<{ readonly cores: number; readonly messages: number }> {
    const { m } = this;
    const { capability: target } = full(slot);
    const isShared = (): boolean =>
      !typeRow(target.type).needsLocality || (group.relations & (REMOTE.copies | REMOTE.descendants)) !== 0;
    const shared = isShared();
    const round = yield* m.rounds.prepare(op, 'revoke', { capability: target, rest: [] }, { alone: !shared });
    if (!shared && isShared()) {
      // While the mark waited for a lock, a descendant that was not frozen yet was sent away.
      m.rounds.finishInBackground(PHASES.abort, round);
      throw new OperationError('CAPABILITY_BUSY', 'a descendant has left this core meanwhile');
    }
    const late: Range[] = [];
    this.committed.set(op, { target, freed: late });
    const freed = yield* m.rounds.finish(PHASES.commit, round);
    this.collectFreed();
    this.committed.delete(op);
    if (slot.group === group) setRelations(m.state, group, 0, REMOTE.copies | REMOTE.descendants);
    this.reclaims.offer([...pairs(freed), ...late]);
    return { cores: round.cores, messages: round.messages };
  }

  private mark(op: OperationId, { capability: target }: CapabilityPayload, answer: NonNullable<Part['answer']>): void {
    if (coreOf(op) !== this.m.context.core && this.parts.isFull(op)) return answer('TOO_MANY_OPERATIONS');
    const part: Part = {
      op,
      target,
      mark: null,
      committed: false,
      cursor: 0,
      candidates: [],
      answer,
      timer: null,
      stopWaiting: null,
    };
    this.parts.set(op, part);
    if (this.isDoubtful(op, target)) this.freezeIfVouchedFor(part);
    else this.freeze(part);
  }

  /** Whether this core would lose something while no record, here or at its home, shows the initiator's right. */
  private isDoubtful(op: OperationId, target: Capability): boolean {
    const { state, context } = this.m;
    const initiator = coreOf(op);
    if (initiator === context.core || !needsVouching(this.m, target, initiator)) return false;
    return state.database.find(target) === undefined && state.database.hasDescendants(target);
  }

  private freezeIfVouchedFor(part: Part): void {
    const { m } = this;
    const { op, target } = part;
    m.lookInto(
      'vouch_revoke',
      target,
      coreOf(op),
      (own) => objectionTo(m, own, target, coreOf(op)),
      m.now,
      (outcome) => {
        if (this.parts.get(op) !== part) return;
        const objection = outcome.ok ? outcome.value : outcome.error;
        if (objection === null) this.freeze(part);
        else this.refuse(part, objection);
      },
    );
  }

  /** Resumes after the next change. If its part is not ready in time, this core refuses. */
  private wait(part: Part, goOn: () => void): void {
    part.timer ??= this.m.context.timers.set(this.m.now + limit('revokeLockWaitNs'), () => this.refuse(part));
    part.stopWaiting = this.m.changes.add(goOn);
  }

  private freeze(part: Part): void {
    const { state } = this.m;
    const survivor = this.survivors.get(part.op);
    const result = survivor === undefined ? revokeMarkRelations(state, part.target) : revokeMarkTarget(state, survivor);
    if (!result.ok) return this.wait(part, () => this.freeze(part));
    part.mark = result.mark;
    if (this.m.context.outbox.debug) {
      this.m.context.outbox.log('cap_revoke_mark', {
        op: part.op,
        capability: describeCapability(part.target),
        frozen: result.mark.frozen.length,
      });
    }
    // A subscriber has its own time limit, which waiting for locks must not shorten.
    this.stopWaiting(part);
    this.m.subscribers.ask(part.op, part.target, (consents) => {
      if (consents) this.drain(part);
      else this.refuse(part, 'CONSENT_REFUSED');
    });
  }

  /** Frozen: nothing new leaves, but copies already under way must arrive first. */
  private drain(part: Part): void {
    if (this.m.transits.has((sent) => isCopy(part.target, sent) || isAncestor(part.target, sent)))
      this.wait(part, () => this.drain(part));
    else this.vote(part, null);
  }

  private refuse(part: Part, error: ErrorName = 'CAPABILITY_BUSY'): void {
    if (part.answer === null) return;
    this.thaw(part);
    this.vote(part, error);
    this.parts.delete(part.op);
  }

  private vote(part: Part, refusal: ErrorName | null): void {
    const { answer } = part;
    assertInvariant('CR1', refusal !== null || part.mark !== null, () => `${part.op} is ready without a mark`);
    this.stopWaiting(part);
    part.answer = null;
    if (this.m.context.outbox.debug)
      this.m.context.outbox.log('cap_revoke_ready', { op: part.op, result: refusal ?? 'ok' });
    answer?.(refusal);
  }

  private stopWaiting(part: Part): void {
    this.m.context.timers.cancel(part.timer);
    part.timer = null;
    this.m.subscribers.takeBack(part.op);
    part.stopWaiting?.();
    part.stopWaiting = null;
  }

  private commit(op: OperationId, answer: NonNullable<Part['answer']>): void {
    const part = this.parts.get(op);
    if (part === undefined || part.mark === null) return answer(null);
    part.answer = answer;
    if (part.committed) return; // asked again after the first attempt timed out
    part.committed = true;
    const group = this.survivors.get(op)?.group;
    if (group) this.m.state.committed.add(group);
    if (this.m.context.outbox.debug) this.m.context.outbox.log('cap_revoke_commit', { op });
    revokeCommit(this.m.state, part.mark);
    this.stepper.runNow();
    this.finishIfEmpty(part);
  }

  private finishIfEmpty(part: Part): void {
    const { frozen } = known(part.mark);
    while (
      part.cursor < frozen.length &&
      known(frozen[part.cursor]).slot.capability !== known(frozen[part.cursor]).capability
    )
      part.cursor += 1;
    if (part.cursor < frozen.length || !this.parts.has(part.op)) return;
    this.collectFreed();
    this.parts.delete(part.op);
    if (this.m.context.outbox.debug) this.m.context.outbox.log('cap_revoke_done', { op: part.op });
    const freed = unionRanges(part.candidates);
    this.m.whenSettled(() =>
      part.answer?.(
        null,
        freed.flatMap(({ address, size }) => [address, size]),
      ),
    );
  }

  private abort(op: OperationId, answer: NonNullable<Part['answer']>): void {
    const part = this.parts.get(op);
    if (part !== undefined && !part.committed) {
      this.thaw(part);
      if (part.answer !== null) this.vote(part, 'ROUND_REFUSED');
      this.parts.delete(op);
    }
    answer(null);
  }

  private thaw(part: Part): void {
    this.stopWaiting(part);
    if (part.mark === null) return;
    assertInvariant('CR1', !part.committed, () => `${part.op} has committed and would lose its mark`);
    if (this.m.context.outbox.debug) this.m.context.outbox.log('cap_revoke_abort', { op: part.op });
    revokeAbort(this.m.state, part.mark);
    part.mark = null;
    this.m.locksChanged();
  }

  private takeOver(part: Part): void {
    const { m } = this;
    if (part.answer !== null) return this.refuse(part, 'PEER_GONE');
    takeOverRevoke(m, this.reclaims, part, {
      commit: () => this.commit(part.op, () => undefined),
      abort: () => this.abort(part.op, () => undefined),
    });
  }
}

import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import type { DomainId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { type CoreSnapshot, snapshotCore } from '../../capability/audit/audit-snapshot.ts';
import { sortedSlots } from '../../capability/store/copy-group.ts';
import type { Slot } from '../../capability/store/slot.ts';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { Operation } from '../operations.ts';
import type { MessageHandlers, RoundActs, Service } from '../service.ts';
import { CapopsContext, type CapopsPort } from './context.ts';
import { onCopyRequest, onReceive, placeCopy } from './copy.ts';
import { deleteEverywhere, deleteRemoteAct, findCopyAct } from './delete.ts';
import { onVouchRequest, vouchAct } from './vouch.ts';
import { isBegunBy } from '../agreement/finished.ts';
import { onMoveRequest, updateOwnerAct } from './move.ts';
import { Reclaims } from './reclaim.ts';
import { Recovery } from './recover.ts';
import { capabilityCalls } from './requests.ts';
import { onRetrieveRequest } from './retrieve.ts';
import { checkRetypeAct, onRetypeRequest } from './retype.ts';
import { Revokes } from './revoke.ts';
import { Stepper } from './stepper.ts';

/** Capability operations between cores: the part that one core's CPU driver cannot finish alone. */
export class Capops implements Service {
  readonly shared: CapopsContext;
  readonly revokes: Revokes;
  readonly reclaims: Reclaims;
  readonly recovery: Recovery;
  private readonly stepper: Stepper;

  readonly messages = {
    cap_copy_request: (from, request, now) => onCopyRequest(this.shared, from.id, request, now),
    cap_copy_reply: (from, reply, now) => this.shared.exchange.answered(from.id, reply, now),
    cap_receive_request: (from, request, now) => onReceive(this.shared, from.id, request, now),
    cap_receive_reply: (from, reply, now) => this.shared.exchange.answered(from.id, reply, now),
    cap_move_request: (from, request, now) => onMoveRequest(this.shared, from.id, request, now),
    cap_move_reply: (from, reply, now) => this.shared.exchange.answered(from.id, reply, now),
    cap_retrieve_request: (from, request, now) => onRetrieveRequest(this.shared, from.id, request, now),
    cap_retrieve_reply: (from, reply, now) => this.shared.exchange.answered(from.id, reply, now),
    cap_retype_request: (from, request, now) => onRetypeRequest(this.shared, from.id, request, now),
    cap_retype_reply: (from, reply, now) => this.shared.exchange.answered(from.id, reply, now),
    cap_retype_created: (from, message, now) => this.shared.exchange.answered(from.id, message, now),
    cap_reclaim_request: (from, request) => this.reclaims.onRequest(from.id, request),
    round_key: (from, { key }) => this.shared.seals.learn(from, key),
    cap_vouch_request: (from, request, now) => onVouchRequest(this.shared, from.id, request, now),
    cap_vouch_reply: (from, reply, now) => this.shared.exchange.answered(from.id, reply, now),
    request_refused: (from, refused, now) => this.shared.exchange.refused(from.id, refused, now),
    cap_reclaim_reply: (from, reply, now) => this.shared.exchange.answered(from.id, reply, now),
  } satisfies MessageHandlers;
  readonly roundActions;
  readonly systemCalls;

  constructor(port: CapopsPort) {
    this.shared = new CapopsContext(port);
    this.stepper = new Stepper(this.shared);
    this.reclaims = new Reclaims(this.shared);
    this.recovery = new Recovery(this.shared);
    this.revokes = new Revokes(this.shared, this.reclaims, this.stepper);
    this.roundActions = {
      revoke: this.revokes.act,
      check_retype: checkRetypeAct(this.shared),
      find_copy: findCopyAct(this.shared),
      delete_remote: deleteRemoteAct(this.shared),
      update_owner: updateOwnerAct(this.shared),
      reclaim: this.reclaims.act,
      find_orphan: this.recovery.act,
      lost_owner: this.recovery.lostAct,
      vouch: vouchAct(this.shared, () => this.reclaims.ranges()),
    } satisfies RoundActs;
    this.systemCalls = capabilityCalls(this.shared, this.revokes);
  }

  /**
   * On a restarted core, memory that others still hold stays theirs; the rest becomes free once they have been asked.
   */
  registered(): void {
    if (this.shared.context.incarnation > 1) this.reclaims.reserve();
  }

  viewChanged(): void {
    if (this.shared.booted && this.shared.context.view > 0) this.reclaims.recoverReserved();
  }

  capabilityChanged(): void {
    this.revokes.collectFreed();
    this.shared.locksChanged();
  }

  dispatcherGone({ id }: Domain): void {
    if (this.shared.booted) this.shared.subscribers.removeAll(id);
  }

  /** Copies a capability into the cspace of a domain of this core; returns its address there. */
  copyInto(receiver: DomainId, source: Slot, rights: number): number {
    return placeCopy(this.shared, source, receiver, rights);
  }

  /**
   * Deletes the root CNode of a cspace with everything below it, on every core if need be; calls `done` when it is
   * gone. A copy in its own slots, such as the task CNode, would keep it alive, so those go first.
   */
  deleteCspace(root: Slot, now: Nanos, done: (now: Nanos) => void): void {
    const { shared } = this;
    const { capability, group } = root;
    if (capability === null || group === null) return done(now);
    const others = sortedSlots(group).filter((slot) => slot !== root);
    const remove = function* (op: OperationId): Operation<void> {
      for (const slot of others)
        if (slot.capability !== null) yield* deleteEverywhere(shared, `${op}.${slot.address}`, slot, slot.capability);
      yield* deleteEverywhere(shared, op, root, capability);
    };
    shared.carryOn('delete_cspace', capability, remove, now, (_outcome, at) => done(at));
  }

  /** The first words over a new link: they identify this core's rounds, however they travel. */
  peerUp(peer: Peer, first: boolean): void {
    if (!first || !isCorePeer(peer)) return;
    const { seals, context } = this.shared;
    context.send(peer.id, { type: 'round_key', key: seals.keyFor(peer) });
  }

  /** Ends operations of a gone incarnation that nobody else would end. */
  peerGone(peer: Peer, now: Nanos): void {
    if (!isCorePeer(peer)) return;
    const { id: core, incarnation } = peer;
    const { exchange, rounds, guards, given, booted } = this.shared;
    this.shared.someoneLeft = true;
    given.forget(core);
    exchange.peerGone(core, now);
    for (const op of guards.keys()) if (isBegunBy(op, core, incarnation)) guards.delete(op);
    if (booted) this.shared.handovers.peerGone(core, incarnation);
    rounds.forget(core, incarnation);
    if (!booted) return;
    this.reclaims.peerGone(core, incarnation);
    this.revokes.peerGone(core, incarnation);
    this.recovery.ownerGone(core);
  }

  invariants(): void {
    if (!this.shared.booted) return;
    this.shared.invariants();
    this.revokes.invariants();
    this.reclaims.invariants();
    this.shared.state.invariants();
  }

  /** Whether a round has frozen something here or watches it, and has not ended. */
  hasBegun(op: OperationId): boolean {
    return this.revokes.parts.has(op) || this.shared.guards.has(op) || this.reclaims.isWatching(op);
  }

  /** Whether an operation between cores is under way here, so that a snapshot may differ from a quiet cluster's. */
  get busy(): boolean {
    const { transits, guards, state } = this.shared;
    return (
      transits.capabilities().length > 0 ||
      this.revokes.parts.size > 0 ||
      !this.reclaims.idle ||
      this.recovery.size > 0 ||
      !this.shared.handovers.idle ||
      !state.deletions.drained ||
      guards.size > 0
    );
  }

  /** This core's part of an audit: its slots, its capabilities in flight, and memory on its way home. */
  snapshot(): CoreSnapshot {
    return snapshotCore(this.shared.state, this.shared.transits.capabilities(), [...this.reclaims.ranges()]);
  }
}

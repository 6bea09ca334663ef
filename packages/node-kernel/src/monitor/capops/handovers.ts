/*
 * HANDOVERS: ownership that this core has let go, until the new owner has told everybody (move.ts). If the new owner
 * dies before that, holders that it did not reach still name this core, which may have no copy any more and cannot be
 * asked. So the old owner answers for the handover: it tells everybody that the owner is gone, and they look for a new
 * one (recover.ts). A new owner stays locked until everybody knows, so no capability has two unknown handovers.
 */
import type { CoreId, Incarnation, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { assertInvariant } from '@mk/monitor-proto/assert';
import { type Capability, describeCapability, identityOf } from '../../capability/model/capability.ts';
import type { LocalCapabilities } from '../../capability/store/local-capabilities.ts';
import type { Multicasts } from '../agreement/multicast.ts';
import { PHASES } from '../agreement/round-actions.ts';
import type { Operation } from '../operations.ts';
import type { CapabilityPayload } from './payload.ts';

interface Handover {
  readonly capability: Capability;
  readonly to: CoreId;
  /** The round by which the new owner has told this core; null: not yet. */
  heard: OperationId | null;
}

/** Handovers' view of the capability operations that they are part of. */
interface HandoverHost {
  readonly state: LocalCapabilities;
  readonly rounds: Multicasts<CapabilityPayload>;
  readonly now: Nanos;
  carryOn(kind: string, capability: Capability, operation: (op: OperationId) => Operation<void>, now: Nanos): unknown;
  locksChanged(): void;
}

const FEW = 16;

export class Handovers {
  private readonly open = new Map<string, Handover>();
  /** Beyond this many, known handovers are swept: a burst of them is not scanned for each. */
  private most = FEW;
  /** Capabilities for which this core is announcing that their owner is gone. */
  private readonly telling = new Map<string, Capability>();

  constructor(private readonly m: HandoverHost) {}

  /** Whether no announcement is under way. */
  get idle(): boolean {
    return this.telling.size === 0;
  }

  /** Whether holders are being told that the owner is gone: until they know, this core must not become the owner. */
  isTelling(capability: Capability): boolean {
    return !this.idle && this.telling.has(identityOf(capability));
  }

  /** This core lets go of the ownership. */
  note(capability: Capability, to: CoreId): void {
    this.open.set(identityOf(capability), { capability, to, heard: null });
    if (this.open.size <= this.most) return;
    this.forgetKnown();
    this.most = Math.max(FEW, 2 * this.open.size);
  }

  /** This core keeps the ownership after all. */
  takeBack(capability: Capability): void {
    this.open.delete(identityOf(capability));
  }

  /** A round of a new owner has reached this core. */
  heard(op: OperationId, capability: Capability, owner: CoreId): void {
    if (this.open.size === 0) return;
    const identity = identityOf(capability);
    const handover = this.open.get(identity);
    if (handover?.to === owner) handover.heard = op;
    else this.open.delete(identity);
  }

  /** A core is gone, and may not have told everybody of its ownerships. Call before its rounds are forgotten. */
  peerGone(core: CoreId, incarnation: Incarnation): void {
    this.forgetKnown();
    const { m } = this;
    for (const [identity, { capability, to }] of this.open) {
      if (to !== core) continue;
      this.open.delete(identity);
      const group = m.state.database.find(capability);
      if (group !== undefined && !m.state.isForeign(group)) continue; // the ownership came back
      this.telling.set(identity, capability);
      m.carryOn('lose_owner', capability, (op) => this.tell(op, capability, core, incarnation), m.now);
    }
  }

  /** RO3, as far as one core sees. Throws AssertionFailure. */
  invariants(): void {
    const { state } = this.m;
    for (const capability of this.telling.values()) {
      const group = state.database.find(capability);
      const isOwner = group !== undefined && !state.isForeign(group);
      assertInvariant(
        'RO3',
        !isOwner,
        () => `this core owns ${describeCapability(capability)} and says that nobody does`,
      );
    }
  }

  private *tell(op: OperationId, capability: Capability, core: CoreId, incarnation: Incarnation): Operation<void> {
    try {
      yield* this.m.rounds.tell(op, 'lost_owner', { capability, rest: [core, incarnation] });
    } finally {
      this.telling.delete(identityOf(capability));
      this.m.locksChanged();
    }
  }

  /**
   * Forgets handovers that everybody knows of: the initiator has said that its round is over, and it is remembered no
   * more.
   */
  private forgetKnown(): void {
    for (const [identity, { heard }] of this.open)
      if (heard !== null && this.m.rounds.finished.of(heard).get(heard, PHASES.commit) === undefined)
        this.open.delete(identity);
  }
}

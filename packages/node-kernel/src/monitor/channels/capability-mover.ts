import { type ErrorName, isWorthRetrying } from '@mk/monitor-proto/errors';
import type { DomainId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { isSendable } from '../../capability/global/monitor-primitives.ts';
import { hasRights, RIGHTS } from '../../capability/model/rights.ts';
import { lookup } from '../../capability/store/cspace.ts';
import { full, type Slot } from '../../capability/store/slot.ts';
import type { CapopsContext } from '../capops/context.ts';
import { placeCopy, sendCopy } from '../capops/copy.ts';
import { deleteEverywhere } from '../capops/delete.ts';
import { END_ADDRESSES } from '../capops/receivers.ts';
import { type Operation, OperationError, sleepUntil, wait } from '../operations.ts';
import type { End, Parcel } from './end.ts';
import type { CapabilityMover, Transferred } from './ends.ts';

/**
 * Moves capabilities with messages, by this core's capability operations (COPY, and giving away): directly to the
 * receiver's core whatever route the message takes, addressed to the channel's end there. Every transfer ends, since
 * each copy has its deadline.
 */
export class ChannelCapabilities implements CapabilityMover {
  constructor(private readonly capops: CapopsContext) {}

  transfer(end: End, parcel: Extract<Parcel, { kind: 'data' }>, now: Nanos, done: Transferred): void {
    const { operations } = this.capops.context;
    const arrived: number[] = [];
    operations.start(
      operations.nextId(),
      this.transferAll(end, parcel, arrived),
      now,
      (outcome, at) => done(outcome.ok ? { ok: true, value: arrived } : outcome, outcome.ok ? [] : arrived, at),
      true,
    );
  }

  discard(domain: DomainId, addresses: Iterable<number>): void {
    const holder = this.capops.driver.domains.get(domain);
    if (holder === undefined) return; // its cspace went with it
    for (const address of addresses) {
      const found = lookup(this.capops.state, holder.root, { address });
      if (!found.ok) continue;
      const { capability } = found.value;
      this.capops.carryOn(
        'delete',
        capability,
        (op) => deleteEverywhere(this.capops, op, found.value, capability),
        this.capops.now,
      );
    }
  }

  private *transferAll(
    end: End,
    { capabilities, giveAway }: Extract<Parcel, { kind: 'data' }>,
    arrived: number[],
  ): Operation<void> {
    for (const [i, address] of capabilities.entries()) {
      arrived.push(yield* this.untilDone(end, address, giveAway[i] === true));
    }
  }

  /** Retries copies that another operation blocks, as the library does for a program's own operations. */
  private *untilDone(end: End, address: number, giveAway: boolean): Operation<number> {
    const { context } = this.capops;
    const until = context.now + limit('callerDeadlineNs');
    for (let pause = limit('callerRetryNs'); ; pause = Math.min(2 * pause, limit('callerRetryMaxNs'))) {
      if (end.gone) throw new OperationError('CHANNEL_CLOSED', 'the channel has ended');
      try {
        return yield* this.one(end, this.find(end.domain, address), giveAway);
      } catch (error) {
        if (!(error instanceof OperationError) || !isWorthRetrying(error.error) || context.now + pause > until)
          throw error;
      }
      yield* wait(sleepUntil(context.timers, context.now + pause));
    }
  }

  private *one(end: End, slot: Slot, giveAway: boolean): Operation<number> {
    const { carrier } = end;
    const { capops } = this;
    if (carrier?.kind === 'local') {
      const { capability } = full(slot);
      const address = placeCopy(capops, slot, END_ADDRESSES + carrier.other.id, capability.rights);
      if (giveAway) yield* deleteEverywhere(capops, capops.context.operations.nextId(), slot, capability);
      return address;
    }
    const { capability } = full(slot);
    if (!isSendable(capability)) throw new OperationError('NOT_SENDABLE', `${capability.type} cannot leave its core`);
    const to = { core: end.otherCore, domain: END_ADDRESSES + end.otherEnd };
    return yield* sendCopy(capops, capops.context.operations.nextId(), slot, to, giveAway);
  }

  private find(domain: DomainId, address: number): Slot {
    const holder = this.capops.driver.domains.get(domain);
    if (holder === undefined || !this.capops.booted) throw new OperationError('NO_CSPACE', 'the sender is gone');
    const found = lookup(this.capops.state, holder.root, { address }, RIGHTS.grant);
    if (!found.ok) throw refusal(found.error);
    if (!hasRights(found.value.capability.rights, RIGHTS.grant)) throw refusal('MISSING_RIGHT');
    return found.value;
  }
}

function refusal(error: ErrorName): OperationError {
  return new OperationError(error, 'the capability of a message');
}

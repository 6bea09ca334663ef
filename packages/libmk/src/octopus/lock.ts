/**
 * A lock that is handed on in the order of requests. Source: Barrelfish `lib/octopus` locks, and ZooKeeper's recipe.
 *
 * Every contender sets a sequential record; the lowest number has the lock. Each other one watches only the record just
 * before its own, so a hand-over wakes one. Records are transient: the lock of a holder that is gone is free.
 *
 *   LK1  at any time at most one holder has not been told that it lost the lock, as long as clocks run at the same rate
 *       (N1);
 *   LK2  tokens rise from holder to holder, even over restarts of the SKB: what the lock protects refuses a token lower
 *       than one it has seen, and is safe from a holder that was told late or does not listen
 *       (docs/guides/use-a-lock.md).
 */
import { recipeName } from '@mk/monitor-proto/octopus/names';
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import type { CancelSignal } from '../runtime/cancellation.ts';
import { HeldRecord, type Losable } from './held-record.ts';
import { aborting, unlessAborted } from './giving-up.ts';
import { type Octopus, OctopusError, quotedName } from './octopus.ts';

/** A lock that is held. */
export interface HeldLock extends Losable {
  /** The fencing token: higher than every earlier holder's. */
  readonly token: number;
  /** The place in the queue; the same number. */
  readonly ticket: number;
  /** Hands the lock on; rejects with LOCK_LOST if it was lost before. */
  release(): Promise<void>;
}

/**
 * Waits for the lock. An abort gives up the place in the queue and rejects with the signal's reason; losing the place
 * rejects with LOCK_LOST.
 */
export async function acquireLock(octopus: Octopus, name: string, signal?: CancelSignal): Promise<HeldLock> {
  const record = quotedName(recipeName('lock', name));
  signal?.throwIfAborted();
  const placed = octopus.set(record, { sequential: true, transient: true, recipe: 'lock' });
  const { name: own } = await unlessAborted(placed, signal, (late) =>
    octopus.delete(quotedName(late.name), { recipe: 'lock', own: true }),
  );
  const what = `the lock ${JSON.stringify(name)}`;
  const held = new HeldRecord(octopus, own, { recipe: 'lock', error: 'LOCK_LOST', what });
  const first = whenFirst(octopus, own, signal);
  first.catch(() => undefined); // it may fail after the place was lost
  const has = Promise.race([Promise.all([held.watched, first]), held.lost]);
  await held.orAbandon(unlessAborted(has, signal, () => undefined).then(() => held.check()));
  const token = Number(own.slice(own.lastIndexOf('_') + 1));
  return { token, ticket: token, lost: held.lost, signal: held.signal, release: () => held.release() };
}

/** Holds the lock while `work` runs, and returns its result; rejects with LOCK_LOST as soon as the lock is lost. */
export async function withLock<T>(octopus: Octopus, name: string, work: (lock: HeldLock) => Promise<T>): Promise<T> {
  const lock = await acquireLock(octopus, name);
  let result: T;
  try {
    result = await Promise.race([work(lock), lock.lost]);
  } catch (error) {
    await lock.release().catch(() => undefined); // the work's outcome, or the loss, counts
    throw error;
  }
  await lock.release();
  return result;
}

async function whenFirst(octopus: Octopus, own: string, signal: CancelSignal | undefined): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const armed = await octopus.arm({ type: 'predecessor', name: own }, 'OK', TRIGGER.ON_DEL);
    const { reply } = armed;
    if (!reply.ok) {
      const lost = reply.error === 'NO_RECORD';
      throw new OctopusError(lost ? 'LOCK_LOST' : reply.error, lost ? 'its place in the queue is gone' : reply.detail);
    }
    if (reply.record === undefined) return;
    await aborting(armed, signal);
  }
}

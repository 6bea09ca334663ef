/**
 * A lock that is handed on in the order it was asked for. Source: Barrelfish `lib/octopus` locks (and ZooKeeper's
 * recipe).
 *
 * Everybody who wants it sets a sequential record; the lowest number has it. Each other one watches only the record
 * just before its own, so a hand-over wakes one. Records are transient: the lock of a core that left is free.
 */
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import type { Octopus } from './octopus.ts';
import { OctopusError, aborting, quotedName, sequenceQuery } from './octopus.ts';

/** A lock that is held. */
export interface HeldLock {
  /** The place in the queue: rises with every holder. A fencing token for what the lock protects. */
  readonly ticket: number;
  release(): Promise<void>;
}

/** Waits for the lock. An abort gives up the place in the queue and rejects with the signal's reason. */
export async function acquireLock(octopus: Octopus, name: string, signal?: AbortSignal): Promise<HeldLock> {
  const own = (await octopus.set(quotedName(name), { sequential: true, transient: true })).name;
  try {
    while (!(await isFirst(octopus, name, own, signal)));
  } catch (error) {
    await octopus.delete(quotedName(own));
    throw error;
  }
  const ticket = Number(own.slice(own.lastIndexOf('_') + 1));
  return { ticket, release: async () => void (await octopus.delete(quotedName(own))) };
}

/** Holds the lock while `work` runs, and returns what that returns. */
export async function withLock<T>(octopus: Octopus, name: string, work: (lock: HeldLock) => Promise<T>): Promise<T> {
  const lock = await acquireLock(octopus, name);
  try {
    return await work(lock);
  } finally {
    await lock.release();
  }
}

/** True if the lock is ours; else after the one before us has gone, or may have. */
async function isFirst(octopus: Octopus, name: string, own: string, signal: AbortSignal | undefined): Promise<boolean> {
  signal?.throwIfAborted();
  const queue = await octopus.getNames(sequenceQuery(name));
  const place = queue.indexOf(own);
  // Our core was taken for gone, and our record with it.
  if (place < 0) throw new OctopusError('NO_RECORD', `${own} is no longer in the queue`);
  if (place === 0) return true;
  const armed = await octopus.arm(
    { type: 'exists', query: quotedName(queue[place - 1] as string) },
    'OK',
    TRIGGER.ON_DEL,
  );
  await aborting(armed, signal);
  return false;
}

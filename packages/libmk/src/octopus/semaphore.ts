/**
 * A counting semaphore. Source: Barrelfish `lib/octopus` semaphores: each post is a record, and waiting takes one away.
 * A post wakes everybody who waits and one of them gets it, as in the original; waiters are not served in order.
 */
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import type { Octopus } from './octopus.ts';
import { OctopusError, aborting, quotedName, sequenceQuery } from './octopus.ts';

/** Adds one. It stays when the poster's core leaves. */
export async function postSemaphore(octopus: Octopus, name: string): Promise<void> {
  await octopus.set(quotedName(name), { sequential: true });
}

/** Takes one away, waiting for it if there is none. */
export async function waitSemaphore(octopus: Octopus, name: string, signal?: AbortSignal): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const armed = await octopus.arm({ type: 'get_names', query: sequenceQuery(name) }, 'NO_RECORD', TRIGGER.ON_SET);
    const { reply } = armed;
    if (!reply.ok && reply.error !== 'NO_RECORD') throw new OctopusError(reply.error, reply.detail);
    if (!reply.ok) await aborting(armed, signal);
    else if (await takeOne(octopus, reply.names ?? [])) return;
  }
}

/** Takes one away if there is one now. */
export async function tryWaitSemaphore(octopus: Octopus, name: string): Promise<boolean> {
  return takeOne(octopus, await octopus.getNames(sequenceQuery(name)));
}

/** Deletion says who got it: exactly one deletes a record. */
async function takeOne(octopus: Octopus, names: readonly string[]): Promise<boolean> {
  for (const name of names) if (await octopus.delete(quotedName(name))) return true;
  return false;
}

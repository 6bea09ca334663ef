/**
 * A counting semaphore. Source: Barrelfish `lib/octopus` semaphores: each post is a record. Waiting takes one away for
 * good; a permit is taken on lease, and returns when its holder releases it, ends, or loses its session. A post wakes
 * all waiters and one of them gets it, as in the original; waiters are not served in order.
 */
import { recipeName } from '@mk/monitor-proto/octopus/names';
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import { parseRecord } from '@mk/monitor-proto/octopus/record';
import type { CancelSignal } from '../runtime/cancellation.ts';
import { HeldRecord, type Losable } from './held-record.ts';
import { aborting, unlessAborted } from './giving-up.ts';
import { type Octopus, OctopusError, quotedName } from './octopus.ts';

/** A unit of a semaphore, on lease. */
export interface Permit extends Losable {
  /** Gives it back; rejects with PERMIT_LOST if it was lost before. */
  release(): Promise<void>;
}

/** Adds one. It stays when the poster's core leaves. */
export async function postSemaphore(octopus: Octopus, name: string): Promise<void> {
  await octopus.set(quotedName(recipeName('semaphore', name)), { sequential: true, recipe: 'semaphore' });
}

/** Takes one away, waiting for it if there is none. */
export async function waitSemaphore(octopus: Octopus, name: string, signal?: CancelSignal): Promise<void> {
  signal?.throwIfAborted();
  await unlessAborted(take(octopus, name, false, signal), signal, () => postSemaphore(octopus, name));
}

/** Takes one away if there is one now. */
export async function tryWaitSemaphore(octopus: Octopus, name: string): Promise<boolean> {
  return (await octopus.take(name)) !== undefined;
}

/** Takes one on lease, waiting for it if there is none. It returns when its holder ends or loses its session. */
export async function acquirePermit(octopus: Octopus, name: string, signal?: CancelSignal): Promise<Permit> {
  signal?.throwIfAborted();
  const own = await unlessAborted(take(octopus, name, true, signal), signal, (late) =>
    octopus.delete(quotedName(late), { recipe: 'permit', own: true }),
  );
  const what = `the permit of ${JSON.stringify(name)}`;
  const held = new HeldRecord(octopus, own, { recipe: 'permit', error: 'PERMIT_LOST', what });
  await held.orAbandon(unlessAborted(held.watched, signal, () => undefined));
  return { lost: held.lost, signal: held.signal, release: () => held.release() };
}

async function take(octopus: Octopus, name: string, lease: boolean, signal: CancelSignal | undefined): Promise<string> {
  for (;;) {
    signal?.throwIfAborted();
    const armed = await octopus.arm({ type: 'take', name, lease }, 'NO_RECORD', TRIGGER.ON_SET);
    const { reply } = armed;
    if (!reply.ok && reply.error !== 'NO_RECORD') throw new OctopusError(reply.error, reply.detail);
    if (!reply.ok) await aborting(armed, signal);
    else return nameOf(reply.record ?? '');
  }
}

function nameOf(text: string): string {
  const { name } = parseRecord(text);
  return name.kind === 'is' ? name.name : '';
}

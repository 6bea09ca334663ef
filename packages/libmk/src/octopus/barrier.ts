/**
 * A barrier that may be used again and again. Source: Barrelfish `lib/octopus` barriers.
 *
 * Everybody who enters sets a sequential record; the last of them opens the barrier by setting its record. Everybody
 * who leaves deletes its own; the last of them closes it again. Enter and leave together are a double barrier.
 * Assumes that a round's participants have left before others use the name.
 */
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import type { Octopus } from './octopus.ts';
import { OctopusError, aborting, quotedName, sequenceQuery } from './octopus.ts';

/** A barrier that was entered; everybody is in. */
export interface EnteredBarrier {
  /** Waits until everybody has left. */
  leave(signal?: AbortSignal): Promise<void>;
}

/** Waits until `count` participants have entered. An abort takes our entry back and rejects. */
export async function enterBarrier(
  octopus: Octopus,
  name: string,
  count: number,
  signal?: AbortSignal,
): Promise<EnteredBarrier> {
  const entry = `${name}_entered`;
  const open = quotedName(`${name}_open`);
  const own = (await octopus.set(quotedName(entry), { sequential: true, transient: true })).name;
  try {
    const entered = await octopus.getNames(sequenceQuery(entry));
    if (entered.length >= count) await openRound(octopus, `${open} { round: ${quotedName(own)} }`);
    const { attributes } = await octopus.waitFor(open, signal);
    const round = String(attributes['round']);
    return { leave: (leaving) => leaveBarrier(octopus, name, own, round, leaving) };
  } catch (error) {
    await octopus.delete(quotedName(own));
    throw error;
  }
}

/**
 * The opener's own name marks the round, so that a slow leaver cannot close the next one. Two may both be last to
 * enter.
 */
async function openRound(octopus: Octopus, record: string): Promise<void> {
  try {
    await octopus.set(record, { exclusive: true });
  } catch (error) {
    if (!(error instanceof OctopusError) || error.name !== 'RECORD_EXISTS') throw error;
  }
}

async function leaveBarrier(
  octopus: Octopus,
  name: string,
  own: string,
  round: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await octopus.delete(quotedName(own));
  const thisRound = `${quotedName(`${name}_open`)} { round: == ${quotedName(round)} }`;
  if (!(await octopus.exists(sequenceQuery(`${name}_entered`)))) {
    await close(octopus, thisRound);
    return;
  }
  for (;;) {
    const armed = await octopus.arm({ type: 'exists', query: thisRound }, 'OK', TRIGGER.ON_DEL);
    if (!armed.reply.ok) return;
    await aborting(armed, signal);
  }
}

/** Two may both be last; the second finds the barrier closed, or open for the next round. */
async function close(octopus: Octopus, thisRound: string): Promise<void> {
  try {
    await octopus.delete(thisRound);
  } catch (error) {
    if (!(error instanceof OctopusError) || error.name !== 'CONSTRAINT_MISMATCH') throw error;
  }
}

/** What an Octopus command waits for, shown while it waits: the holder, those ahead of it, those missing. */
import { type EnteredBarrier, enterBarrier } from '@mk/libmk/octopus/barrier';
import { acquireLock, type HeldLock } from '@mk/libmk/octopus/lock';
import { type Octopus, type OctopusRecord, quotedName } from '@mk/libmk/octopus/octopus';
import { acquirePermit, type Permit, waitSemaphore } from '@mk/libmk/octopus/semaphore';
import { recipeName, sequenceOf } from '@mk/monitor-proto/octopus/names';
import type { CtlContext } from './context.ts';

/** If the SKB does not report within this time, the wait is for the SKB itself. */
const ANSWER_MS = 600;

export function takeLock(
  { cluster }: CtlContext,
  octopus: Octopus,
  name: string,
  signal: AbortSignal,
): Promise<HeldLock> {
  const queue = quotedName(recipeName('lock', name));
  const describe = async (): Promise<string> => {
    const [first, ...others] = await octopus.getNames(queue, { sequence: true });
    const holder = first === undefined ? '' : `, which ticket ${sequenceOf(first)?.number ?? '?'} holds`;
    return `the lock ${JSON.stringify(name)}${holder}${others.length > 1 ? `; ${others.length} are in line` : ''}`;
  };
  return cluster.waiting(unlessSilent(describe), () => acquireLock(octopus, name, signal));
}

export function meetAtBarrier(
  { cluster }: CtlContext,
  octopus: Octopus,
  name: string,
  count: number,
  signal: AbortSignal,
): Promise<EnteredBarrier> {
  const entries = quotedName(recipeName('barrier', `${name}:entry`));
  const describe = async (): Promise<string> => {
    const here = (await octopus.getNames(entries, { sequence: true })).length;
    return `the barrier ${JSON.stringify(name)}: ${here} of ${count} have come`;
  };
  return cluster.waiting(unlessSilent(describe), () => enterBarrier(octopus, name, count, signal));
}

export function leaveBarrier({ cluster }: CtlContext, barrier: EnteredBarrier, signal: AbortSignal): Promise<void> {
  return cluster.waiting(
    () => 'the others to leave the barrier',
    () => barrier.leave(signal),
  );
}

export function takeOne({ cluster }: CtlContext, octopus: Octopus, name: string, signal: AbortSignal): Promise<void> {
  return cluster.waiting(unlessSilent(emptySemaphore(octopus, name)), () => waitSemaphore(octopus, name, signal));
}

export function leaseOne(
  { cluster }: CtlContext,
  octopus: Octopus,
  name: string,
  signal: AbortSignal,
): Promise<Permit> {
  return cluster.waiting(unlessSilent(emptySemaphore(octopus, name)), () => acquirePermit(octopus, name, signal));
}

export function waitForRecord(
  { cluster }: CtlContext,
  octopus: Octopus,
  query: string,
  signal: AbortSignal,
): Promise<OctopusRecord> {
  const describe = async (): Promise<string> => {
    await octopus.exists('_');
    return `a record that matches ${query}`;
  };
  return cluster.waiting(unlessSilent(describe), () => octopus.waitFor(query, signal));
}

/** A request that the SKB answers at once, unless it hangs. */
export function atSkb<T>({ cluster }: CtlContext, what: string, answer: Promise<T>): Promise<T> {
  return cluster.duringSkb(what, () => answer);
}

function emptySemaphore(octopus: Octopus, name: string): () => Promise<string> {
  return async () => {
    await octopus.exists('_');
    return `the semaphore ${JSON.stringify(name)}, which has none to give`;
  };
}

function unlessSilent(describe: () => Promise<string>): () => Promise<string> {
  return () => {
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('the SKB, which does not answer'), ANSWER_MS);
    });
    const told = describe().catch((error: Error) => `the SKB (${error.message})`);
    return Promise.race([told, silent]).finally(() => clearTimeout(timer));
  };
}

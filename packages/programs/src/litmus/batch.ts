/** Many runs of one litmus test side by side: each has its own words, all share a few frames. */
import type { share } from './share.ts';
import { known, roundRobin } from '../common/known.ts';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { MemoryKind } from '@mk/libmk/memory/map-options';
import type { Region } from '@mk/libmk/memory/regions';
import type { Mk } from '@mk/libmk/program/mk';
import type { RemoteThread } from '@mk/libmk/threads/remote-threads';
import { type LITMUS_PAGES, type LitmusTest, outcomeOf } from '../common/litmus-tests.ts';

/** Words of a run lie beside those of other runs: this many runs share a page. */
export const RUNS_A_PAGE = PAGE_BYTES / 8;

/** What all runs of one command have in common. */
export interface Setup {
  readonly pages: (typeof LITMUS_PAGES)[number];
  readonly kind: MemoryKind;
}

interface Laid {
  readonly frames: number[];
  readonly regions: Region[];
  readonly addresses: number[];
  readonly stride: number;
}

/**
 * The outcomes of so many runs, each thread on its core of `cores`. Rejects with the first error caused by a fault; in
 * any case the threads have ended and the memory is freed.
 */
export async function batch(
  mk: Mk,
  test: LitmusTest,
  runs: number,
  { cores, pages, kind }: Setup & { readonly cores: readonly number[] },
): Promise<readonly string[]> {
  const laid: Laid = {
    frames: [],
    regions: [],
    addresses: [],
    // On one page a run's words lie side by side; on separate pages, at the same offset.
    stride: pages === 'one' ? 8 * test.words.length : 8,
  };
  const threads: RemoteThread<number[][]>[] = [];
  try {
    for (const [i] of test.words.entries()) {
      if (pages === 'one' && i > 0) laid.addresses.push(known(laid.addresses[0]) + 8 * i);
      else {
        const near = pages === 'homes' ? { near: roundRobin(cores, i) } : {};
        laid.addresses.push(await lay(mk, laid, runs * laid.stride, near));
      }
    }
    const barrier = await lay(mk, laid, PAGE_BYTES, {});
    const { addresses, stride } = laid;
    const given = { test: test.name, addresses, barrier, stride, runs, kind };
    for (const thread of test.threads.keys())
      threads.push(mk.spawnOn<typeof share>(roundRobin(cores, thread), 'share', { ...given, thread }));
    const came = await Promise.all(threads.map((thread) => thread.join()));
    return await outcomesOf(mk, test, runs, laid, came);
  } finally {
    await cleared(mk, laid, threads);
  }
}

async function lay(mk: Mk, laid: Laid, bytes: number, near: { readonly near?: number }): Promise<number> {
  const frame = await mk.memory.allocFrame(bytes, near);
  laid.frames.push(frame);
  const region = await mk.memory.map(frame);
  laid.regions.push(region);
  return region.address;
}

/** Threads that wait for a dead one fault when their memory is gone, and end. */
async function cleared(mk: Mk, { frames, regions }: Laid, threads: readonly RemoteThread[]): Promise<void> {
  for (const region of regions) await settled(mk.memory.unmap(region));
  await Promise.allSettled(threads.map((thread) => thread.join()));
  for (const frame of frames) await settled(mk.capabilities.delete(frame));
}

async function settled(what: Promise<unknown>): Promise<void> {
  await what.catch(() => undefined);
}

async function outcomesOf(
  mk: Mk,
  test: LitmusTest,
  runs: number,
  { addresses, stride }: Laid,
  came: readonly (readonly (readonly number[])[])[],
): Promise<readonly string[]> {
  const outcomes: string[] = [];
  for (let run = 0; run < runs; run += 1) {
    const left: Record<string, number> = {};
    for (const [i, word] of test.words.entries())
      left[word] = await mk.memory.load32(known(addresses[i]) + run * stride);
    const registers = came.map((all) => known(all[run]));
    outcomes.push(outcomeOf(test, registers, left));
  }
  return outcomes;
}

/** One thread of a litmus test, on its core: its accesses, and its record of them for a picture. */
import { known } from '../common/known.ts';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { MemoryKind } from '@mk/libmk/memory/map-options';
import type { Mk } from '@mk/libmk/program/mk';
import { type Access, litmusTest } from '../common/litmus-tests.ts';

export interface Share {
  readonly test: string;
  readonly thread: number;
  /** Address of each word of run 0, in the order of the test's words. */
  readonly addresses: readonly number[];
  /** Address of a word that counts arrivals. */
  readonly barrier: number;
  readonly stride: number;
  readonly runs: number;
  readonly kind: MemoryKind;
}

/** An access as it happened, on its core's clock. */
export type Done = { readonly text: string; readonly beganNs: number; readonly endedNs: number };

/** Threads meet after this many runs: one that ran ahead would see nothing of the others. */
const RUNS_TOGETHER = 16;
/** The most turns by which a thread's run is delayed now and then: about as long as a page travels. */
const LATER_TURNS = 10;

/** The accesses of each thread of this dispatcher in its last batch, a list per run, until somebody asks. */
const remembered = new Map<number, Done[][]>();

/** All runs of a batch: the registers, a list a run. */
export async function share(mk: Mk, given: Share): Promise<number[][]> {
  const { test: name, thread, addresses, barrier, stride, runs, kind } = given;
  const test = known(litmusTest(name));
  const accesses = known(test.threads[thread]);
  const { memory } = mk;
  const bytes = Math.ceil((runs * stride) / PAGE_BYTES) * PAGE_BYTES;
  for (const address of addresses) if (address % PAGE_BYTES === 0) memory.setKind({ address, bytes }, kind);
  const all: number[][] = [];
  const history: Done[][] = [];
  remembered.set(thread, history);
  for (let run = 0; run < runs; run += 1) {
    if (run % RUNS_TOGETHER === 0) await together(mk, barrier, test.threads.length * (1 + run / RUNS_TOGETHER));
    if (mk.randomInt(4) === 0) for (let turns = mk.randomInt(LATER_TURNS); turns > 0; turns -= 1) await pass(mk);
    const registers: number[] = [];
    const done: Done[] = [];
    history.push(done);
    for (const access of accesses) {
      if (mk.randomInt(2) === 0) await pass(mk);
      const address = known(addresses[test.words.indexOf(access.word)]) + run * stride;
      const beganNs = mk.now();
      const text = await perform(mk, access, { address, kind, registers });
      done.push({ text, beganNs, endedNs: mk.now() });
    }
    all.push(registers);
    await pass(mk);
  }
  return all;
}

/** The accesses of a thread in a run of the last batch. */
export function told(_mk: Mk, { thread, run }: { readonly thread: number; readonly run: number }): readonly Done[] {
  return remembered.get(thread)?.[run] ?? [];
}

interface Place {
  readonly address: number;
  readonly kind: MemoryKind;
  readonly registers: number[];
}

async function perform(mk: Mk, { kind: access, word, value }: Access, place: Place): Promise<string> {
  const { memory } = mk;
  const { address, kind, registers } = place;
  if (access === 'F') {
    registers.push(Number(await memory.fetchAdd(address, BigInt(value))));
    return `F ${word}=${registers.at(-1)}+${value}`;
  }
  if (access === 'W') {
    await memory.store32(address, value);
    if (kind === 'private') await memory.publish({ address, bytes: 8 });
    return `W ${word}=${value}`;
  }
  // A private copy may be as old as its holder likes: sometimes refresh it.
  const anew = kind === 'private' && mk.randomInt(2) === 0;
  if (anew) memory.refresh({ address, bytes: 8 });
  registers.push(await memory.load32(address));
  const which = kind === 'coherent' ? '' : anew ? ' (copied now)' : ' (its copy)';
  return `R ${word}=${registers.at(-1)}${which}`;
}

/** Lets some time pass, so that other cores get theirs. */
async function pass(mk: Mk): Promise<void> {
  mk.work(mk.randomInt(4000));
  await mk.yield();
}

/**
 * Waits for so many arrivals in all, so that the threads continue at about the same time. Counts at the home, whatever
 * the copies say.
 */
async function together(mk: Mk, barrier: number, arrivals: number): Promise<void> {
  await mk.memory.fetchAdd(barrier, 1n);
  while (Number(await mk.memory.fetchAdd(barrier, 0n)) < arrivals) await pass(mk);
}

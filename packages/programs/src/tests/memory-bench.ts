/**
 * What a page held elsewhere costs: the median time of an access on core 1, by where the page is. `memory-bench PART
 * SWEEPS [PAUSE_NS]`, with a pause before each; the exit value is nanoseconds. `clean`: the home has it; `dirty`: core
 * 2 has written it; `upgrade`: core 1 reads it already, as the others do. A sweep goes over `PAGES` pages, one after
 * the other; the first `WARM_UP` accesses are not counted: by then all cores have compiled what they run.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { program } from '@mk/libmk/program/program';
import type { Mk } from '@mk/libmk/program/mk';

/** Fewer than a dispatcher keeps translations of. */
const PAGES = 64;
const WARM_UP = 2000;

interface Sweep {
  readonly address: number;
  readonly kind: 'read' | 'write';
  readonly pauseNs: number;
}

export const main = program({ name: 'memory-bench', threads: { sweep } }, async (mk) => {
  const [part = 'clean', sweeps = '8', pauseNs = '0'] = mk.args;
  await Promise.all([1, 2, 3].map((core) => mk.span(core)));
  const { address } = await mk.memory.map(await mk.memory.allocFrame(PAGES * PAGE_BYTES));
  for (let done = 0; done < WARM_UP; done += PAGES) await swept(mk, part, address, 0);
  const samples: number[] = [];
  for (let round = 0; round < Number(sweeps); round += 1)
    samples.push(...(await swept(mk, part, address, Number(pauseNs))));
  samples.sort((a, b) => a - b);
  return Math.round(samples[samples.length >> 1] ?? 0);
});

/** Brings all pages to where a part needs them; the times of core 1's accesses. */
async function swept(mk: Mk, part: string, address: number, pauseNs: number): Promise<readonly number[]> {
  await sweep(mk, { address, kind: 'write', pauseNs: 0 });
  const on = (core: number, kind: Sweep['kind'], pause = 0): Promise<readonly number[]> =>
    mk.spawnOn(core, 'sweep', { address, kind, pauseNs: pause }).join();
  if (part === 'dirty') await on(2, 'write');
  if (part === 'upgrade') for (const core of [1, 2, 3]) await on(core, 'read');
  return on(1, part === 'upgrade' ? 'write' : 'read', pauseNs);
}

/** Touches each page once; nanoseconds of each access, from the turn in which it begins to the one that has its page. */
async function sweep(mk: Mk, { address, kind, pauseNs }: Sweep): Promise<number[]> {
  const samples: number[] = [];
  for (let at = address; at < address + PAGES * PAGE_BYTES; at += PAGE_BYTES) {
    if (pauseNs > 0) await mk.sleep(pauseNs);
    const begun = mk.now();
    if (kind === 'read') await mk.memory.load32(at);
    else await mk.memory.store32(at, 1);
    samples.push(mk.now() - begun);
  }
  return samples;
}

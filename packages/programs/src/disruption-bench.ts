/**
 * What unmaps cost the cores that they interrupt: a thread computes on every other core, in a quiet time, then while
 * pages are unmapped that every second of these cores has touched, then in a quiet time again, which shows the noise.
 * `--rounds N` unmaps each time, `--pairs N` times of both kinds, each of `--window N` milliseconds. Between turns the
 * computing threads pause for `--pause N` microseconds; with 0, for cores that have a CPU each, they do not pause.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { Mk } from '@mk/libmk/program/mk';
import { coresOf, onlyOptions, tell, whole, tool } from './common/arguments.ts';
import { known } from './common/known.ts';

/**
 * A turn of the computing thread takes about a tenth of a millisecond; in between it pauses, so that cores that share
 * few CPUs can still unmap.
 */
const CHUNK = 20_000;
const CHUNK_NS = 100_000;
const PAUSE_US = 1000;
/** How long each time of computing lasts; its end also ends the unmaps that are not done yet. */
const WINDOW_MS = 500;

interface Pace {
  readonly forNs: number;
  readonly pauseNs: number;
}

/** Computes for so long by its own core's clock; returns chunks per second, and a value. */
async function compute(mk: Mk, { forNs, pauseNs }: Pace): Promise<readonly [rate: number, value: number]> {
  const begun = mk.now();
  let chunks = 0;
  let value = chunks;
  while (mk.now() < begun + forNs) {
    for (let step = 0; step < CHUNK; step += 1) value = (value * 31 + step) | 0;
    chunks += 1;
    mk.work(CHUNK_NS);
    if (pauseNs > 0) await mk.sleep(pauseNs);
    else await mk.yield();
  }
  // The value is returned so that no compiler removes the computation.
  return [(chunks * 1e9) / Math.max(1, mk.now() - begun), value];
}

export const main = tool(
  {
    name: 'disruption-bench',
    threads: {
      touch: async (mk, addresses: readonly number[]) => {
        for (const address of addresses) await mk.memory.load32(address);
      },
      compute,
    },
  },
  async (mk) => {
    const others = coresOf(mk).filter((core) => core !== mk.self.core);
    onlyOptions(mk, ['rounds', 'pairs', 'window', 'pause', 'json']);
    const unmaps = whole(mk, 'rounds', 50, 1, 1000);
    const pairs = whole(mk, 'pairs', 5, 1, 100);
    const pace = {
      forNs: 1e6 * whole(mk, 'window', WINDOW_MS, 1, 60_000),
      pauseNs: 1000 * whole(mk, 'pause', PAUSE_US, 0, 1_000_000),
    };
    await Promise.all(others.map((core) => mk.span(core)));
    const touching = others.filter((_, i) => i % 2 === 0);
    const losses = others.map((): number[] => []);
    const noise: number[] = [];
    const frame = await mk.memory.allocFrame(PAGE_BYTES);
    let done = 0;
    for (let pair = 0; pair < pairs; pair += 1) {
      const quiet = await computed(mk, others, pace, () => Promise.resolve(0));
      const regions = await mapped(mk, frame, touching, unmaps);
      const loud = await computed(mk, others, pace, (until) => unmapped(mk, regions, until));
      for (const region of regions.slice(loud.value)) await mk.memory.unmap(region);
      done += loud.value;
      const again = await computed(mk, others, pace, () => Promise.resolve(0));
      for (const [i, rate] of quiet.rates.entries()) {
        const perUnmap = (other: number): number => ((1 - other / rate) * pace.forNs) / Math.max(1, loud.value);
        losses[i]?.push(perUnmap(known(loud.rates[i])));
        noise.push(Math.abs(perUnmap(known(again.rates[i]))));
      }
    }
    const rows = others.map((core, i) => ({
      core,
      touched: touching.includes(core),
      lost_ns: median(known(losses[i])),
    }));
    const line = ({ core, touched, lost_ns: lost }: (typeof rows)[number]): string =>
      `core ${String(core).padStart(3)} ${touched ? 'had' : 'had not'} touched the pages: ${(lost / 1000).toFixed(1)} us of its time an unmap`;
    tell(mk, rows.map(line), { unmaps: done, rows, noise_ns: median(noise) });
  },
);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[sorted.length >> 1] ?? 0);
}

type Region = Awaited<ReturnType<Mk['memory']['map']>>;

/** Maps so many pages, each by a mapping of its own, and lets these cores read them. */
async function mapped(mk: Mk, frame: number, cores: readonly number[], count: number): Promise<readonly Region[]> {
  const regions: Region[] = [];
  for (let i = 0; i < count; i += 1) regions.push(await mk.memory.map(frame));
  const addresses = regions.map(({ address }) => address);
  await Promise.all(cores.map((core) => mk.spawnOn(core, 'touch', addresses).join()));
  return regions;
}

/** Unmaps one after the other until a time; returns how many. */
async function unmapped(mk: Mk, regions: readonly Region[], until: number): Promise<number> {
  let done = 0;
  for (const region of regions) {
    if (mk.now() >= until) break;
    await mk.memory.unmap(region);
    done += 1;
  }
  return done;
}

/** What each core computes in a window, in chunks per second, and the result of `meanwhile`. */
async function computed<T>(mk: Mk, cores: readonly number[], pace: Pace, meanwhile: (until: number) => Promise<T>) {
  const until = mk.now() + pace.forNs;
  const threads = cores.map((core) => mk.spawnOn<typeof compute>(core, 'compute', pace));
  const value = await meanwhile(until);
  const ended = await Promise.all(threads.map((thread) => thread.join()));
  return { rates: ended.map(([rate]) => rate), value };
}

/**
 * How long an unmap takes that every core must hear of: frames are mapped, read on some of the cores, and unmapped.
 * `--rounds N` unmaps for each number of cores: 1, 2, 4, … or with `--step N` every N-th. `--rows` prints a JSON
 * document per number, with the times of its last unmaps, for drawing.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { Mk } from '@mk/libmk/program/mk';
import { coresOf, onlyOptions, given, tell, whole, tool } from './common/arguments.ts';
import { timesOf } from './common/times.ts';

/** A row holds the times of this many. */
const TOLD_MOST = 32;

export const main = tool(
  {
    name: 'unmap-bench',
    threads: { read: async (mk, address: number) => await mk.memory.load32(address) },
  },
  async (mk) => {
    const cores = coresOf(mk);
    onlyOptions(mk, ['rounds', 'step', 'rows', 'json']);
    const rounds = whole(mk, 'rounds', 20, 1, 100_000);
    const step = whole(mk, 'step', 0, 0, 100_000);
    const others = cores.filter((core) => core !== mk.self.core);
    await Promise.all(others.map((core) => mk.span(core)));
    const rows: ({ readonly cores: number } & Awaited<ReturnType<typeof measured>>)[] = [];
    for (const count of countsUpTo(cores.length, step)) {
      rows.push({ cores: count, ...(await measured(mk, others.slice(0, count - 1), rounds)) });
      if (given(mk, 'rows')) mk.console.log(JSON.stringify(rows.at(-1)));
    }
    if (given(mk, 'rows')) return;
    const line = ({ cores: count, p50_ns: median, min_ns: least }: (typeof rows)[number]): string =>
      `${String(count).padStart(5)} cores: median ${(median / 1000).toFixed(1)} us, least ${(least / 1000).toFixed(1)} us`;
    tell(mk, [`unmap of one page, ${rounds} times:`, ...rows.map(line)], rows);
  },
);

async function measured(mk: Mk, others: readonly number[], rounds: number) {
  const frame = await mk.memory.allocFrame(PAGE_BYTES);
  const samples: number[] = [];
  // When each of the last began and returned: their core knows what happened in between.
  const unmaps: (readonly [begun: number, ended: number])[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const region = await mk.memory.map(frame);
    await mk.memory.store32(region.address, round);
    await Promise.all(others.map((core) => mk.spawnOn(core, 'read', region.address).join()));
    const begun = mk.now();
    await mk.memory.unmap(region);
    unmaps.push([Math.floor(begun), Math.ceil(mk.now())]);
    samples.push(mk.now() - begun);
  }
  await mk.capabilities.delete(frame);
  return { ...timesOf(samples), unmaps: unmaps.slice(-TOLD_MOST) };
}

/** 1, 2, 4, … or every `step`-th; and the number itself. */
function countsUpTo(most: number, step: number): readonly number[] {
  const counts = [];
  for (let count = 1; count < most; count = step === 0 ? 2 * count : Math.max(2, count + step)) counts.push(count);
  return [...counts, most];
}

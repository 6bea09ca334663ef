/** How long an unmap takes that every core has to hear of: frames are mapped, read on 1, 2, 4, … of the cores, and unmapped. `--rounds N`. */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { coresOf, tell, whole } from './common/arguments.ts';
import { timesOf } from './common/times.ts';

export const main = program(
  {
    name: 'unmap-bench',
    threads: { read: async (mk, address: number) => await mk.memory.load32(address) },
  },
  async (mk) => {
    const cores = coresOf(mk);
    const rounds = whole(mk, 'rounds', 20, 1, 100_000);
    const others = cores.filter((core) => core !== mk.self.core);
    await Promise.all(others.map((core) => mk.span(core)));
    const rows: ({ readonly cores: number } & Awaited<ReturnType<typeof measured>>)[] = [];
    for (const count of countsUpTo(cores.length))
      rows.push({ cores: count, ...(await measured(mk, others.slice(0, count - 1), rounds)) });
    const line = ({ cores: count, p50_ns: median, min_ns: least }: (typeof rows)[number]): string =>
      `${String(count).padStart(5)} cores: median ${(median / 1000).toFixed(1)} us, least ${(least / 1000).toFixed(1)} us`;
    tell(mk, [`unmap of one page, ${rounds} times:`, ...rows.map(line)], rows);
  },
);

async function measured(mk: Mk, others: readonly number[], rounds: number) {
  const frame = await mk.memory.allocFrame(PAGE_BYTES);
  const samples: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const region = await mk.memory.map(frame);
    await mk.memory.store32(region.address, round);
    await Promise.all(others.map((core) => mk.spawnOn(core, 'read', region.address).join()));
    const begun = mk.now();
    await mk.memory.unmap(region);
    samples.push(mk.now() - begun);
  }
  await mk.capabilities.delete(frame);
  return timesOf(samples);
}

/** 1, 2, 4, … and the number itself. */
function countsUpTo(most: number): readonly number[] {
  const counts = [];
  for (let count = 1; count < most; count *= 2) counts.push(count);
  return [...counts, most];
}

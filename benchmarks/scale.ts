import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { plotSvg } from '@mk/sim/commands/svg-plot';
import { firstRound, memoryMib, startBareProcesses, startCluster } from './cluster.ts';
import { keep, median, spread } from './report.ts';

/**
 * The cost of a machine by its number of cores: boot against as many bare node processes, CPU at rest, memory, open
 * links. Bare processes and ours run in turns, both in their own sessions. `scale 32,64,128 3`: numbers of cores, and
 * runs of each.
 */
const SIZES = (process.argv[2] ?? '32,64,128').split(',').map(Number);
const RUNS = Number(process.argv[3] ?? 3);
const SETTLE_MS = 3000;
const REST_MS = 10_000;
const TICKS_PER_SECOND = 100;
const CPUS = 2;

interface Row {
  readonly cores: number;
  readonly bareMs: number[];
  /** Until every core knows every other, when mk-launch reports that it is ready. */
  readonly bootMs: number[];
  /** Until the first round over all cores has ended. */
  readonly usableMs: number[];
  /** Processor time of all cores at rest, as a share of two CPUs. */
  readonly restPercent: number[];
  /** Of a core's process, in MiB, including its part of shared pages. */
  readonly pssMib: number[];
  readonly openLinks: number[];
}

function cpuTicks({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function measure(row: Row): Promise<void> {
  row.bareMs.push(await startBareProcesses(row.cores));
  const cluster = await startCluster(row.cores, { detached: true });
  const meshedAt = performance.now();
  await firstRound(cluster);
  row.bootMs.push(cluster.bootMs);
  row.usableMs.push(cluster.bootMs + performance.now() - meshedAt);
  await pause(SETTLE_MS);
  const ticks = (): number => [...cluster.cores, cluster.skb].reduce((sum, child) => sum + cpuTicks(child), 0);
  const before = ticks();
  const startedAt = performance.now();
  await pause(REST_MS);
  const seconds = (performance.now() - startedAt) / 1000;
  row.restPercent.push(((ticks() - before) / TICKS_PER_SECOND / seconds / CPUS) * 100);
  row.pssMib.push(...cluster.cores.map((core) => memoryMib(core).pss));
  let ends = 0;
  for (let core = 0; core < row.cores; core += 1) {
    const links = await cluster.ask<readonly { readonly peer: number | string; readonly up: boolean }[]>(core, 'links');
    ends += links.filter(({ peer, up }) => up && typeof peer === 'number').length;
  }
  row.openLinks.push(Math.round(ends / 2));
  await cluster.stop();
}

const rows: Row[] = SIZES.map((cores) => ({
  cores,
  bareMs: [],
  bootMs: [],
  usableMs: [],
  restPercent: [],
  pssMib: [],
  openLinks: [],
}));
await startBareProcesses(Math.min(...SIZES));
for (let run = 0; run < RUNS; run += 1) for (const row of rows) await measure(row);
for (const row of rows) {
  const ratios = row.bootMs.map((ms, i) => ms / row.bareMs[i]!);
  process.stdout.write(
    `${row.cores} cores, ${RUNS} runs: boot ${spread(row.bootMs)} ms, bare ${spread(row.bareMs)} ms, ratio ${spread(ratios)}; first round after ${spread(row.usableMs)} ms; ` +
      `at rest ${spread(row.restPercent)} % of ${CPUS} CPUs; ${spread(row.pssMib)} MiB a core; ` +
      `${median(row.openLinks)} of ${(row.cores * (row.cores - 1)) / 2} links open\n`,
  );
}
keep('scale', { rows });
const points = (of: (row: Row) => number): [number, number][] => rows.map((row) => [row.cores, of(row)]);
writeFileSync(
  join(process.cwd(), 'benchmarks', 'results', 'scale.svg'),
  plotSvg(
    [
      { name: 'boot', points: points(({ bootMs }) => median(bootMs) / 1000) },
      { name: 'bare node', points: points(({ bareMs }) => median(bareMs) / 1000) },
      { name: 'at rest, % of two CPUs', points: points(({ restPercent }) => median(restPercent)) },
    ],
    { title: 'Boot and rest by cores', xLabel: 'cores', yLabel: 's; %', logX: true },
  ),
);

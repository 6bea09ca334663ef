import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ended, startCluster } from './cluster.ts';
import { report, spread } from './report.ts';

/** Boot to the full mesh against starting as many processes of `node` that load nothing and report back. */
const CORES = Number(process.argv[2] ?? 32);
const RUNS = Number(process.argv[3] ?? 5);

/**
 * Starts bare processes; resolves with the time until the last has reported. In sessions of their own, as the launcher's are: on a
 * busy host the scheduler gives each session a share, so that both sides must have as many.
 */
async function bare(n: number): Promise<number> {
  const startedAt = performance.now();
  const children = Array.from({ length: n }, () =>
    spawn(process.execPath, ['-e', 'process.send(1); process.on("message", () => {})'], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true,
    }),
  );
  await Promise.all(children.map((child) => new Promise((resolve) => child.once('message', resolve))));
  const elapsed = performance.now() - startedAt;
  await Promise.all(children.map((child) => ended(child)));
  return elapsed;
}

/** `mk-launch --cores n`, from the command line to its own report that the mesh is complete. */
async function command(n: number): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [join('dist', 'mk-launch.cjs'), '--cores', String(n), '--json', '--name', `bench-${process.pid}`],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await new Promise<void>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (/"(event|type)":"(ready|mesh_complete|cluster_ready)"/.test(text)) resolve();
    });
    child.once('exit', (code) => reject(new Error(`mk-launch ended with status ${code}: ${text}`)));
  });
  const elapsed = performance.now() - startedAt;
  await ended(child);
  return elapsed;
}

/** Resident and proportional memory of a process, MiB. */
function memory(child: ChildProcess): { rss: number; pss: number } {
  const text = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { rss: field('Rss'), pss: field('Pss') };
}

const rows = { processes: [] as number[], command: [] as number[], bare: [] as number[] };
let memories: { rss: number; pss: number }[] = [];
await bare(CORES);
for (let run = 0; run < RUNS; run++) {
  rows.bare.push(await bare(CORES));
  const cluster = await startCluster(CORES);
  rows.processes.push(cluster.bootMs);
  memories = [...cluster.cores, cluster.skb].map(memory);
  await cluster.stop();
  rows.command.push(await command(CORES));
}
report(
  [
    {
      name: `mk-launch --cores ${CORES} to the full mesh of ${(CORES * (CORES - 1)) / 2} links, against ${CORES} bare processes`,
      unit: 'ms',
      ours: rows.command,
      baseline: rows.bare,
      target: CORES === 32 ? { kind: 'at most', ratio: 1.7 } : null,
    },
    {
      name: 'the same without the launcher: processes started by this script',
      unit: 'ms',
      ours: rows.processes,
      baseline: rows.bare,
      target: null,
    },
  ],
  `boot-${CORES}`,
);
const cores = memories.slice(0, CORES);
process.stdout.write(
  `memory per core process ${spread(cores.map((m) => m.rss))} MiB resident, ${spread(cores.map((m) => m.pss))} MiB proportional; all ${Math.round(memories.reduce((sum, m) => sum + m.pss, 0))} MiB\n`,
);

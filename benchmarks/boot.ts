import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ended, memoryMib, startBareProcesses, startCluster } from './cluster.ts';
import { report, spread } from './report.ts';

/**
 * Boot until each core knows all others, against starting as many `node` processes that load nothing and report back.
 */
const CORES = Number(process.argv[2] ?? 32);
const RUNS = Number(process.argv[3] ?? 5);

/** `mk-launch --cores n`, from the command line until it reports that the mesh is complete. */
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

const rows = { processes: [] as number[], command: [] as number[], bare: [] as number[] };
let memories: ReturnType<typeof memoryMib>[] = [];
await startBareProcesses(CORES);
for (let run = 0; run < RUNS; run++) {
  rows.bare.push(await startBareProcesses(CORES));
  const cluster = await startCluster(CORES);
  rows.processes.push(cluster.bootMs);
  memories = [...cluster.cores, cluster.skb].map(memoryMib);
  await cluster.stop();
  rows.command.push(await command(CORES));
}
report(
  [
    {
      name: `mk-launch --cores ${CORES} until each core knows all others, against ${CORES} bare processes`,
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

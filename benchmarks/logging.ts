import { startCluster } from './cluster.ts';
import { report } from './report.ts';

/** URPC throughput with logging at info against logging off: two clusters side by side, measured in turns. */
const RUNS = Number(process.argv[2] ?? 9);
const FLOOD = 1_000_000;

const quiet = await startCluster(2, { logLevel: 'off' });
const logging = await startCluster(2, { logLevel: 'info' });
const rate = async (cluster: typeof quiet): Promise<number> =>
  (FLOOD / (await cluster.ask<{ elapsedNs: number }>(0, 'flood', { core: 1, count: FLOOD, bytes: 54 })).elapsedNs) *
  1e9;
await rate(quiet);
await rate(logging);
const rows = { info: [] as number[], off: [] as number[] };
for (let run = 0; run < RUNS; run++) {
  for (const side of run % 2 === 0 ? (['info', 'off'] as const) : (['off', 'info'] as const))
    rows[side].push(await rate(side === 'info' ? logging : quiet));
}
await Promise.all([quiet.stop(), logging.stop()]);
report(
  [
    {
      name: 'URPC throughput, logging at info against logging off',
      unit: 'messages/s',
      ours: rows.info,
      baseline: rows.off,
      target: { kind: 'at least', ratio: 0.95 },
    },
  ],
  'logging',
);

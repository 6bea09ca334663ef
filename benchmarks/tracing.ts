import { startCluster } from './cluster.ts';
import { report } from './report.ts';

/**
 * The cost of tracing when on: rounds and a flood of messages, in turns with tracing off, on one cluster. And when off:
 * the same flood, off against off, shows the noise that any cost would have to exceed.
 */
const RUNS = Number(process.argv[2] ?? 9);
const CORES = 4;
const FLOOD = 500_000;
const ROUNDS = 300;

const cluster = await startCluster(CORES, { logLevel: 'info' });
const everybody = ['skb', ...Array.from({ length: CORES }, (_, core) => core)] as const;
const tell = (args: Readonly<Record<string, unknown>>): Promise<unknown> =>
  Promise.all(everybody.map((who) => cluster.ask(who, 'trace', args)));
const flood = async (): Promise<number> =>
  (FLOOD / (await cluster.ask<{ elapsedNs: number }>(0, 'flood', { core: 1, count: FLOOD, bytes: 54 })).elapsedNs) *
  1e9;
const rounds = async (): Promise<number> => {
  const startedAt = performance.now();
  for (let i = 0; i < ROUNDS; i++) await cluster.ask(0, 'round', { plan: 'multicast', phases: 2 });
  return (1000 * ROUNDS) / (performance.now() - startedAt);
};
const traced = async (measure: () => Promise<number>): Promise<number> => {
  await tell({ act: 'start', entries: 40_000, for_ms: 60_000 });
  const value = await measure();
  await tell({ act: 'stop' });
  return value;
};
await flood();
await rounds();
const rows = {
  floodOn: [] as number[],
  floodOff: [] as number[],
  floodOff2: [] as number[],
  roundsOn: [] as number[],
  roundsOff: [] as number[],
};
for (let run = 0; run < RUNS; run++) {
  rows.floodOff.push(await flood());
  rows.floodOn.push(await traced(flood));
  rows.floodOff2.push(await flood());
  rows.roundsOff.push(await rounds());
  rows.roundsOn.push(await traced(rounds));
}
await cluster.stop();
const target = { kind: 'at least', ratio: 0.9 } as const;
report(
  [
    {
      name: 'two-phase rounds, traced against not',
      unit: 'rounds/s',
      ours: rows.roundsOn,
      baseline: rows.roundsOff,
      target,
    },
    {
      name: 'flood of messages, traced against not',
      unit: 'messages/s',
      ours: rows.floodOn,
      baseline: rows.floodOff,
      target,
    },
    { name: 'flood, off against off', unit: 'messages/s', ours: rows.floodOff2, baseline: rows.floodOff, target },
  ],
  'tracing',
);

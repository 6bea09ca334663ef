import { startBareTree, type Tree } from './bare-tree.ts';
import { startCluster } from './cluster.ts';
import { median, report, spread } from './report.ts';

/**
 * A one-phase round over 32 cores by the best plan, against the same fan-out and gather by hand over bare ws and the same tree.
 * Both sides are warm: V8 compiles what runs often for the first thousand rounds, in 32 processes at once.
 */
const CORES = Number(process.argv[2] ?? 32);
const RUNS = Number(process.argv[3] ?? 7);
const ROUNDS = 200;
const WARM_UP = 2000;
const PLANS = ['unicast', 'multicast', 'numa'] as const;

interface Rounds { readonly p50: number; readonly messages: number }

const cluster = await startCluster(CORES);
const ours = async (plan: string, count: number): Promise<number> => (await cluster.ask<Rounds>(0, 'round', { plan, phases: 1, count })).p50 / 1e6;
for (const plan of PLANS) await ours(plan, WARM_UP);
const best = { plan: 'multicast' as (typeof PLANS)[number], p50: Infinity };
for (const plan of PLANS) {
  const samples: number[] = [];
  for (let i = 0; i < 3; i++) samples.push(await ours(plan, ROUNDS));
  process.stdout.write(`${plan}: ${spread(samples)} ms a round\n`);
  if (median(samples) < best.p50) Object.assign(best, { plan, p50: median(samples) });
}
const bare = await startBareTree(CORES, await cluster.ask<Tree>('skb', 'tree', { root: 0, kind: best.plan, form: 'json' }));
const byHand = async (count: number): Promise<number> => (await bare.round(count)) / 1e6;

await byHand(WARM_UP);
const rows = { ours: [] as number[], bare: [] as number[] };
for (let run = 0; run < RUNS; run++) {
  if (run % 2 === 1) rows.bare.push(await byHand(ROUNDS));
  rows.ours.push(await ours(best.plan, ROUNDS));
  if (run % 2 === 0) rows.bare.push(await byHand(ROUNDS));
}
await cluster.stop();
await bare.stop();
report([{ name: `one-phase round over ${CORES} cores, plan ${best.plan}, against the same tree by hand over bare ws`, unit: 'ms', ours: rows.ours, baseline: rows.bare, target: { kind: 'at most', ratio: 1.3 } }], `round-${CORES}`);

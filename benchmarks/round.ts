import { warmToRest } from './at-rest.ts';
import { startBareTree, type Tree } from './bare-tree.ts';
import { startCluster } from './cluster.ts';
import { median, report, spread } from './report.ts';

/**
 * A one-phase round over 32 cores by the best plan, against a hand-written fan-out and gather over bare ws along the
 * same tree. Both sides are warmed to rest (at-rest.ts) before anything counts, and take turns of a second, so that
 * neither cools down.
 */
const CORES = Number(process.argv[2] ?? 32);
const RUNS = Number(process.argv[3] ?? 7);
const ROUNDS = 400;
const PLANS = ['unicast', 'multicast', 'numa'] as const;
type Plan = (typeof PLANS)[number];

interface Rounds {
  readonly p50: number;
  readonly messages: number;
}

const cluster = await startCluster(CORES);
const ours = async (plan: Plan): Promise<number> =>
  (await cluster.ask<Rounds>(0, 'round', { plan, phases: 1, count: ROUNDS })).p50 / 1e6;

/** The plan with the fastest rounds, once all are warm. */
async function fastest(): Promise<Plan> {
  await warmToRest(PLANS.map((plan) => () => ours(plan)));
  const samples = new Map<Plan, number[]>(PLANS.map((plan) => [plan, []]));
  for (let i = 0; i < 3; i++) for (const plan of PLANS) samples.get(plan)!.push(await ours(plan));
  for (const plan of PLANS) process.stdout.write(`${plan}: ${spread(samples.get(plan)!)} ms a round\n`);
  return [...PLANS].sort((a, b) => median(samples.get(a)!) - median(samples.get(b)!))[0]!;
}

const best = await fastest();
const bare = await startBareTree(CORES, await cluster.ask<Tree>('skb', 'tree', { root: 0, kind: best, form: 'json' }));
const byHand = async (): Promise<number> => (await bare.round(ROUNDS)) / 1e6;
await warmToRest([() => ours(best), byHand]);
const rows = { ours: [] as number[], bare: [] as number[] };
for (let run = 0; run < RUNS; run++) {
  if (run % 2 === 1) rows.bare.push(await byHand());
  rows.ours.push(await ours(best));
  if (run % 2 === 0) rows.bare.push(await byHand());
}
await cluster.stop();
await bare.stop();
report(
  [
    {
      name: `one-phase round over ${CORES} cores, plan ${best}, against the same tree by hand over bare ws`,
      unit: 'ms',
      ours: rows.ours,
      baseline: rows.bare,
      target: { kind: 'at most', ratio: 1.3 },
    },
  ],
  `round-${CORES}`,
);

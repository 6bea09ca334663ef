import { type ChildProcess } from 'node:child_process';
import { ended, messageOf, startBaseline, startCluster } from './cluster.ts';
import { median, report, spread } from './report.ts';

/** A one-phase round over 32 cores by the best plan, against the same fan-out and gather by hand over bare ws and the same tree. */
const CORES = Number(process.argv[2] ?? 32);
const RUNS = Number(process.argv[3] ?? 7);
const ROUNDS = 100;
const PLANS = ['unicast', 'multicast', 'numa'] as const;

interface Tree { readonly core: number; readonly children: readonly Tree[] }
interface Rounds { readonly p50: number; readonly messages: number }

const cluster = await startCluster(CORES);
const best = { plan: 'multicast' as (typeof PLANS)[number], p50: Infinity };
for (const plan of PLANS) {
  const samples: number[] = [];
  for (let i = 0; i < 3; i++) samples.push((await cluster.ask<Rounds>(0, 'round', { plan, phases: 1, count: ROUNDS })).p50);
  process.stdout.write(`${plan}: ${spread(samples.map((ns) => ns / 1e6))} ms a round\n`);
  if (median(samples) < best.p50) Object.assign(best, { plan, p50: median(samples) });
}
const tree = await cluster.ask<Tree>('skb', 'tree', { root: 0, kind: best.plan, form: 'json' });

const bare = new Map<number, { child: ChildProcess; port: number }>();
await Promise.all(Array.from({ length: CORES }, async (_, core) => {
  const child = startBaseline('tree.mjs', []);
  child.setMaxListeners(50);
  bare.set(core, { child, port: (await messageOf(child, 'listening')).port as number });
}));
async function link(node: Tree): Promise<void> {
  for (const below of node.children) await link(below);
  const { child } = bare.get(node.core)!;
  child.send({ ports: node.children.map(({ core }) => bare.get(core)!.port) });
  await messageOf(child, 'ready');
}
await link(tree);
const root = bare.get(0)!.child;
const byHand = async (): Promise<number> => {
  root.send({ rounds: ROUNDS });
  return (await messageOf(root, 'result')).value as number;
};
const ours = async (): Promise<number> => (await cluster.ask<Rounds>(0, 'round', { plan: best.plan, phases: 1, count: ROUNDS })).p50;

await byHand();
await ours();
const rows = { ours: [] as number[], bare: [] as number[] };
for (let run = 0; run < RUNS; run++) {
  for (const side of run % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const)) rows[side].push((await (side === 'ours' ? ours() : byHand())) / 1e6);
}
await cluster.stop();
await Promise.all([...bare.values()].map(({ child }) => ended(child)));
report([{ name: `one-phase round over ${CORES} cores, plan ${best.plan}, against the same tree by hand over bare ws`, unit: 'ms', ours: rows.ours, baseline: rows.bare, target: { kind: 'at most', ratio: 1.3 } }], `round-${CORES}`);

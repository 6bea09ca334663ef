import { setTimeout as sleep } from 'node:timers/promises';
import { warmToRest } from './at-rest.ts';
import { startBareTree, type Tree } from './bare-tree.ts';
import { startCluster } from './cluster.ts';
import { median, report } from './report.ts';

/**
 * A revoke with copies on all cores, against the bare exchange of two rounds over the same tree: as two-phase rounds
 * that do nothing, and by hand over bare ws. All three are warmed to rest (at-rest.ts) before anything counts, the
 * revokes by revokes.
 */
const CORES = Number(process.argv[2] ?? 32);
const RUNS = Number(process.argv[3] ?? 7);
const REVOKES = 20;
const QUIET_MS = 60;
const WARM_UP = { revokes: 100, rounds: 300, blocks: 20 };

interface Measured {
  readonly cores: number;
  readonly messages: number;
  readonly plan_messages: number;
  readonly revoke: { readonly p50: number };
  readonly round: { readonly p50: number };
}

const cluster = await startCluster(CORES, { logLevel: 'off' });
const domains = await Promise.all(
  Array.from(
    { length: CORES },
    async (_, core) => (await cluster.ask<{ domain: number }>(core, 'domain_create', { cnodes: 1 })).domain,
  ),
);
const peers = domains.flatMap((domain, core) => (core === 0 ? [] : [core, domain]));
const tree = await cluster.ask<Tree>('skb', 'tree', { root: 0, kind: 'multicast', form: 'json' });
const bare = await startBareTree(CORES, tree);

const ours = (count = REVOKES, quiet = QUIET_MS): Promise<Measured> =>
  cluster.ask<Measured>(0, 'bench_revoke', { domain: domains[0], peers, count, quiet_ms: quiet });
/** Two successive rounds, each on a quiet network, as the revokes are measured; the median. */
const twoBareRounds = async (): Promise<number> => {
  const samples: number[] = [];
  for (let i = 0; i < REVOKES; i++) {
    await sleep(QUIET_MS);
    samples.push((await bare.round(1)) + (await bare.round(1)));
  }
  return median(samples);
};

await warmToRest(
  [
    async () => (await ours(WARM_UP.revokes, 0)).revoke.p50 / 1e6,
    async () => (2 * (await bare.round(WARM_UP.rounds))) / 1e6,
  ],
  WARM_UP.blocks,
);
const { cores, messages, plan_messages: planned } = await ours();
process.stdout.write(
  `one revoke: ${messages} messages on ${cores} cores; the plan's count for two phases is ${planned}\n`,
);
if (messages !== planned || cores !== CORES) process.exitCode = 1;
const rows = { revoke: [] as number[], round: [] as number[], bare: [] as number[] };
for (let run = 0; run < RUNS; run++) {
  if (run % 2 === 1) rows.bare.push((await twoBareRounds()) / 1e6);
  const measured = await ours();
  rows.revoke.push(measured.revoke.p50 / 1e6);
  rows.round.push(measured.round.p50 / 1e6);
  if (run % 2 === 0) rows.bare.push((await twoBareRounds()) / 1e6);
}
await cluster.stop();
await bare.stop();
const target = { kind: 'at most', ratio: 1.5 } as const;
report(
  [
    {
      name: `revoke with copies on ${CORES} cores, against a two-phase round that does nothing over the same plan`,
      unit: 'ms',
      ours: rows.revoke,
      baseline: rows.round,
      target,
    },
    {
      name: `revoke with copies on ${CORES} cores, against two rounds by hand over bare ws and the same tree`,
      unit: 'ms',
      ours: rows.revoke,
      baseline: rows.bare,
      target,
    },
  ],
  `revoke-${CORES}`,
);

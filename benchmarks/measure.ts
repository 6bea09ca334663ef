import { startCluster } from './cluster.ts';
import { median, printFigures } from './skb-figures.ts';

/**
 * All round trips of a cluster of real processes, measured by its cores: how long that takes, and how long other
 * messages take meanwhile.
 */
const CORES = Number(process.argv[2] ?? 64);
const RUNS = Number(process.argv[3] ?? 3);
const PINGS = 100;
const PAUSE_US = 10_000;

interface Pings {
  readonly p50: number;
  readonly p99: number;
}
interface Trip {
  readonly from: number;
  readonly to: number;
  readonly min: number;
}

const cluster = await startCluster(CORES, { wave: 8 });
process.stdout.write(`${CORES} cores booted in ${(cluster.bootMs / 1000).toFixed(1)} s\n`);
// A bystander pings at an even pace, as a program would: most of its messages meet no others.
const bystander = (count: number): Promise<Pings> =>
  cluster.ask<Pings>(1, 'ping', { core: CORES - 1, count, bytes: 64, pause_us: PAUSE_US });
await bystander(PINGS);
const alone: number[] = [];
const meanwhile: number[] = [];
const elapsed: number[] = [];
const typical: number[] = [];
const nearlyAll: number[] = [];
for (let run = 0; run < RUNS; run++) {
  alone.push((await bystander(PINGS)).p50 / 1e3);
  const startedAt = performance.now();
  let measuring = true;
  const measured = (async () => {
    const shortest = (await cluster.ask<{ readonly trips: readonly Trip[] }>('skb', 'measure')).trips
      .map(({ min }) => min / 1e3)
      .sort((a, b) => a - b);
    typical.push(median(shortest));
    nearlyAll.push(shortest[Math.floor(0.9 * shortest.length)]!);
    elapsed.push(performance.now() - startedAt);
    measuring = false;
  })();
  const during: number[] = [];
  while (measuring) during.push((await bystander(10)).p50 / 1e3);
  await measured;
  meanwhile.push(median(during));
}
const pairs = new Set((await cluster.ask<Trip[]>('skb', 'rtt')).map(({ from, to }) => `${from} ${to}`));
if (pairs.size !== CORES * (CORES - 1))
  throw new Error(`only ${pairs.size} of ${CORES * (CORES - 1)} pairs were measured`);
await cluster.stop();
printFigures(`measure-${CORES}`, [
  {
    name: `all ${pairs.size} round trips of ${CORES} core processes measured`,
    unit: 'ms',
    values: elapsed,
    target: CORES === 64 ? { kind: 'at most', value: 5000 } : null,
  },
  { name: 'shortest measured round trip of a pair, median of the pairs', unit: 'µs', values: typical, target: null },
  { name: '… of nine pairs of ten at most', unit: 'µs', values: nearlyAll, target: null },
  { name: 'round trip of a bystander before', unit: 'µs', values: alone, target: null },
  { name: 'round trip of a bystander meanwhile', unit: 'µs', values: meanwhile, target: null },
]);

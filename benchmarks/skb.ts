import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SkbClient } from '@mk/libmk/io/skb-client';
import { hmacSha256 } from '@mk/monitor-proto/io/crypto';
import { Simulation } from '@mk/sim/engine/simulation';
import { fact } from '@mk/skb/facts/fact';
import { WorkerEngine } from '@mk/skb/engine/io/worker-engine';
import { type BenchCluster, startCluster } from './cluster.ts';
import { median, printFigures } from './skb-figures.ts';

/** The figures of the knowledge base: engine, look-ups, remote queries, records, measurement of 64 cores. */
const RUNS = Number(process.argv[2] ?? 5);
const BIG = 64;
/** What sending or receiving a message costs a process. */
const PROCESS_MESSAGE_NS = 20_000;
const LOOKUPS = 15_000;
const QUERIES = 2000;
const WRITES = 10_000;
const PIPELINE = 1000;
const dist = join(process.cwd(), 'dist');
const GOAL = 'message_rtt(0, 1, A, _, _, _)';

interface Pings {
  readonly p50: number;
}
interface Status {
  readonly engineReadyMs: number | null;
  readonly measuring: boolean;
}

const data = mkdtempSync(join(tmpdir(), 'mk-bench-skb-'));
const secret = randomBytes(32).toString('hex');
const cluster = await startCluster(2, { secret, dataDir: data, measure: true });
const ready = [await readyOf(cluster)];
for (let run = 1; run < RUNS; run++) ready.push(await readyOfAnother());
await until(async () => ((await cluster.ask<Status>('skb', 'status')).measuring ? null : true));
const client = await SkbClient.connect({ cluster: 'bench', secret, address: cluster.skbAddress });

const lookups = await lookUpsInside();
const rows = {
  remote: [] as number[],
  urpc: [] as number[],
  engine: [] as number[],
  sets: [] as number[],
  gets: [] as number[],
};
await remoteQueries();
await rate((i) => client.octopus.set(`bench${i % 1000} { value: ${i} }`));
for (let run = 0; run < RUNS; run++) {
  rows.urpc.push((await cluster.ask<Pings>(0, 'ping', { core: 1, count: 2000, bytes: 64 })).p50 / 1e3);
  rows.engine.push(await lookups.oneUs());
  rows.remote.push(await remoteQueries());
  rows.sets.push(await rate((i) => client.octopus.set(`bench${i % 1000} { value: ${i} }`)));
  rows.gets.push(await rate((i) => client.octopus.get(`bench${i % 1000}`)));
}
const inside = await lookups.rates();
await lookups.close();
await client.close();
await cluster.stop();
rmSync(data, { recursive: true, force: true });
const budget = rows.urpc.map((urpc, i) => 3 * urpc + rows.engine[i]!);
printFigures('skb', [
  { name: 'engine ready after the SKB began', unit: 'ms', values: ready, target: { kind: 'at most', value: 1500 } },
  {
    name: 'look-ups among 10,000 facts inside the process',
    unit: 'look-ups/s',
    values: inside,
    target: { kind: 'at least', value: 15_000 },
  },
  { name: 'URPC round trip between two cores', unit: 'µs', values: rows.urpc, target: null },
  { name: 'one look-up inside the process', unit: 'µs', values: rows.engine, target: null },
  {
    name: 'remote query round trip',
    unit: 'µs',
    values: rows.remote,
    target: { kind: 'at most', value: median(budget) },
  },
  {
    name: 'records set, journalled',
    unit: 'records/s',
    values: rows.sets,
    target: { kind: 'at least', value: 10_000 },
  },
  { name: 'records got', unit: 'records/s', values: rows.gets, target: { kind: 'at least', value: 10_000 } },
  ...[150_000, 3_000_000].map((oneWayNs) => ({
    name: `all ${BIG * (BIG - 1)} round trips of ${BIG} cores measured, links of ${oneWayNs / 1e6} ms (simulated)`,
    unit: 'ms',
    values: [measureMany(oneWayNs)],
    target: { kind: 'at most', value: 5000 } as const,
  })),
]);

/** When the engine first answered, in milliseconds after the SKB's start. */
function readyOf(booted: BenchCluster): Promise<number> {
  return until(async () => (await booted.ask<Status>('skb', 'status')).engineReadyMs);
}

async function readyOfAnother(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'mk-bench-skb-'));
  const another = await startCluster(2, { dataDir: folder, measure: true });
  const readyMs = await readyOf(another);
  await another.stop();
  rmSync(folder, { recursive: true, force: true });
  return readyMs;
}

/** Median of successive queries, in microseconds. */
async function remoteQueries(): Promise<number> {
  const samples: number[] = [];
  for (let i = 0; i < QUERIES; i++) {
    const startedAt = performance.now();
    await client.queryAll(GOAL);
    samples.push((performance.now() - startedAt) * 1e3);
  }
  return median(samples);
}

/**
 * A separate engine with 10,000 facts; single look-ups are timed while the cluster is measured, so that both see the
 * same host.
 */
async function lookUpsInside(): Promise<{
  rates(): Promise<number[]>;
  oneUs(): Promise<number>;
  close(): Promise<void>;
}> {
  const engine = new WorkerEngine({
    workerPath: join(dist, 'skb-engine.cjs'),
    state: readFileSync(join(dist, 'skb-engine.prc')),
  });
  await engine.updateFacts({
    add: Array.from({ length: 10_000 }, (_, i) => fact('message_rtt', i, i + 1, i, 0, i, i)),
  });
  const goal = (i: number): string => `message_rtt(${i % 10_000}, T, A, _, _, _)`;
  const oneUs = async (): Promise<number> => {
    const samples: number[] = [];
    for (let i = 0; i < QUERIES; i++) {
      const startedAt = performance.now();
      await engine.query(goal(i));
      samples.push((performance.now() - startedAt) * 1e3);
    }
    return median(samples);
  };
  await oneUs();
  return {
    oneUs,
    async rates() {
      const values: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        const startedAt = performance.now();
        await Promise.all(Array.from({ length: LOOKUPS }, (_, i) => engine.query(goal(i))));
        values.push((LOOKUPS / (performance.now() - startedAt)) * 1e3);
      }
      return values;
    },
    close: () => engine.close(),
  };
}

/** Operations per second with this many in flight. */
async function rate(operation: (i: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < WRITES) await operation(next++);
  };
  await Promise.all(Array.from({ length: PIPELINE }, worker));
  return (WRITES / (performance.now() - startedAt)) * 1e3;
}

/**
 * How long 64 cores take to measure one another, on virtual time, since a host of two CPUs cannot run 64 cores and idle
 * as well. Messages cost what they cost a process, and take `oneWayNs` over the link.
 */
function measureMany(oneWayNs: number): number {
  const machine = {
    packageOf: (core: number) => Math.floor(core / 4),
    latencyNs: () => oneWayNs,
    sendOccupancyNs: () => PROCESS_MESSAGE_NS,
    receiveOccupancyNs: () => PROCESS_MESSAGE_NS,
  };
  const simulation = new Simulation({
    seed: 1,
    cores: BIG,
    machine,
    measure: true,
    logLevel: 'info',
    hmac: hmacSha256,
    hash: false,
  });
  let elapsedMs = Number.NaN;
  simulation.observe({
    line(line) {
      if (line.event !== 'measured') return;
      const { pairs, elapsed_ms: elapsed } = line as unknown as { pairs: number; elapsed_ms: number };
      if (pairs !== BIG * (BIG - 1)) throw new Error(`only ${pairs} pairs were measured`);
      elapsedMs = elapsed;
    },
  });
  simulation.start();
  simulation.run(120e9, () => !Number.isNaN(elapsedMs));
  return elapsedMs;
}

async function until<T>(ask: () => Promise<T | null>): Promise<T> {
  for (;;) {
    const value = await ask();
    if (value !== null) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

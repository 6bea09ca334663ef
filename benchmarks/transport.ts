import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster } from './cluster.ts';
import { report } from './report.ts';

/**
 * Links over Unix sockets against links over TCP: round trips, floods, boot. In turns, each side first in every other
 * run.
 */
const RUNS = Number(process.argv[2] ?? 7);
const CORES = Number(process.argv[3] ?? 16);
const PINGS = 3000;
const FLOOD = 300_000;
const PAYLOAD = 54;

const folders: string[] = [];
function socketFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mk-bench-'));
  folders.push(folder);
  return folder;
}

type Measure = (unix: boolean) => Promise<number>;

/** Runs a measurement on both sides. */
async function inTurns(runs: number, measure: Measure): Promise<{ unix: number[]; tcp: number[] }> {
  const rows = { unix: [] as number[], tcp: [] as number[] };
  for (let run = 0; run < runs; run++)
    for (const unix of run % 2 === 0 ? [true, false] : [false, true])
      (unix ? rows.unix : rows.tcp).push(await measure(unix));
  return rows;
}

const [unix, tcp] = await Promise.all([startCluster(2, { socketDir: socketFolder() }), startCluster(2)]);
const of = (isUnix: boolean): typeof tcp => (isUnix ? unix : tcp);
const ping: Measure = async (isUnix) =>
  (await of(isUnix).ask<{ readonly p50: number }>(0, 'ping', { core: 1, count: PINGS, bytes: 64 })).p50 / 1000;
const flood: Measure = async (isUnix) => {
  const asked = { core: 1, count: FLOOD, bytes: PAYLOAD };
  return (FLOOD / (await of(isUnix).ask<{ readonly elapsedNs: number }>(0, 'flood', asked)).elapsedNs) * 1e9;
};
await inTurns(2, ping);
await inTurns(1, flood);
const trips = await inTurns(RUNS, ping);
const floods = await inTurns(RUNS, flood);
await Promise.all([unix.stop(), tcp.stop()]);
const boots = await inTurns(RUNS, async (isUnix) => {
  const cluster = await startCluster(CORES, isUnix ? { socketDir: socketFolder() } : {});
  await cluster.stop();
  return cluster.bootMs;
});
for (const folder of folders) rmSync(folder, { recursive: true, force: true });
const figure = (name: string, unit: string, rows: { unix: number[]; tcp: number[] }) =>
  ({ name, unit, ours: rows.unix, baseline: rows.tcp, target: null }) as const;
report(
  [
    figure('URPC round trip of 64 bytes: Unix sockets against TCP', 'µs', trips),
    figure('URPC throughput of 64-byte messages: Unix sockets against TCP', 'messages/s', floods),
    figure(`boot of ${CORES} cores: Unix sockets against TCP`, 'ms', boots),
  ],
  'transport',
);

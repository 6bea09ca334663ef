import { Authority } from '@mk/launcher/tls/authority';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { startCluster } from './cluster.ts';
import { report } from './report.ts';

/**
 * The cost of mutual TLS: round trips and a flood of messages between cores, requests to a control port, and boot, in
 * turns with a cluster without TLS.
 */
const RUNS = Number(process.argv[2] ?? 9);
const CORES = 4;
const PINGS = 2000;
const REQUESTS = 50;
const FLOOD = 300_000;

const authority = await Authority.create('bench', 1);
const credentials = new Map<string, TlsSettings>();
for (const name of ['skb', 'client', ...Array.from({ length: CORES }, (_, core) => `core-${core}`)])
  credentials.set(name, { ca: authority.ca, ...(await authority.issue([name], 1)) });
const of = (name: string): TlsSettings => credentials.get(name)!;
const [secured, plain] = [await startCluster(CORES, { credentials: of }), await startCluster(CORES)];
type Cluster = typeof plain;

const ping = async ({ ask }: Cluster): Promise<number> =>
  (await ask<{ p50: number }>(0, 'ping', { core: 1, count: PINGS, bytes: 64 })).p50 / 1000;
const requests = async ({ ask }: Cluster): Promise<number> => {
  const startedAt = performance.now();
  for (let i = 0; i < REQUESTS; i++) await ask(0, 'status');
  return (performance.now() - startedAt) / REQUESTS;
};
const flood = async ({ ask }: Cluster): Promise<number> =>
  (FLOOD / (await ask<{ elapsedNs: number }>(0, 'flood', { core: 1, count: FLOOD, bytes: 54 })).elapsedNs) * 1e9;

const measures = [ping, requests, flood] as const;
for (const measure of measures) for (const cluster of [secured, plain]) await measure(cluster);
const rows = measures.map(() => ({ tls: [] as number[], bare: [] as number[] }));
for (let run = 0; run < RUNS; run++) {
  for (const [i, measure] of measures.entries()) {
    const inOrder = run % 2 === 0 ? ([secured, plain] as const) : ([plain, secured] as const);
    for (const cluster of inOrder) (cluster === secured ? rows[i]!.tls : rows[i]!.bare).push(await measure(cluster));
  }
}
await Promise.all([secured.stop(), plain.stop()]);
const boots = { tls: [] as number[], bare: [] as number[] };
for (let run = 0; run < Math.min(RUNS, 5); run++) {
  for (const tls of [true, false]) {
    const cluster = await startCluster(CORES, tls ? { credentials: of } : {});
    (tls ? boots.tls : boots.bare).push(cluster.bootMs);
    await cluster.stop();
  }
}
const [trip, request, flooded] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]];
report(
  [
    {
      name: 'URPC round trip, 64 bytes, TLS against plain',
      unit: 'µs',
      ours: trip.tls,
      baseline: trip.bare,
      target: { kind: 'at most', ratio: 1.3 },
    },
    {
      name: 'one request to a control port, on a connection that is kept',
      unit: 'ms',
      ours: request.tls,
      baseline: request.bare,
      target: null,
    },
    { name: 'flood of 64-byte messages', unit: 'messages/s', ours: flooded.tls, baseline: flooded.bare, target: null },
    { name: 'boot of 4 cores', unit: 'ms', ours: boots.tls, baseline: boots.bare, target: null },
  ],
  'tls',
);

import { ended, messageOf, startBaseline, startCluster } from './cluster.ts';
import { report } from './report.ts';

/** URPC between two cores against bare ws between two processes: round trip and throughput of 64-byte messages. */
const RUNS = Number(process.argv[2] ?? 7);
const PINGS = 3000;
const FLOOD = 600_000;
/**
 * With this payload a flood message takes 64 bytes on the wire; ordinal, stream, number and the payload's header are
 * the rest.
 */
const PAYLOAD = 54;

interface Pings {
  readonly p50: number;
}
interface Flooded {
  readonly received: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly elapsedNs: number;
}

const server = startBaseline('echo.mjs', ['server']);
const { port } = await messageOf(server, 'listening');
const client = startBaseline('echo.mjs', ['client', String(port)]);
await messageOf(client, 'ready');
const cluster = await startCluster(2);

const bare = async (order: string, count: number): Promise<number> => {
  client.send({ order, count });
  return (await messageOf(client, 'result')).value as number;
};
const ping = async (): Promise<number> =>
  (await cluster.ask<Pings>(0, 'ping', { core: 1, count: PINGS, bytes: 64 })).p50;
const flood = async (): Promise<number> => {
  const result = await cluster.ask<Flooded>(0, 'flood', { core: 1, count: FLOOD, bytes: PAYLOAD });
  if (result.received !== FLOOD || result.lost + result.doubled + result.reordered !== 0)
    throw new Error(`the channel broke its promise: ${JSON.stringify(result)}`);
  return (FLOOD / result.elapsedNs) * 1e9;
};

await Promise.all([ping(), bare('echo', PINGS)]);
await flood();
const rows = {
  rtt: [] as number[],
  bareRtt: [] as number[],
  rate: [] as number[],
  plain: [] as number[],
  batched: [] as number[],
};
for (let run = 0; run < RUNS; run++) {
  if (run % 2 === 0) {
    rows.rtt.push(await ping());
    rows.bareRtt.push(await bare('echo', PINGS));
    rows.rate.push(await flood());
    rows.plain.push(await bare('plain', FLOOD / 6));
    rows.batched.push(await bare('batched', FLOOD * 2));
  } else {
    rows.batched.push(await bare('batched', FLOOD * 2));
    rows.plain.push(await bare('plain', FLOOD / 6));
    rows.rate.push(await flood());
    rows.bareRtt.push(await bare('echo', PINGS));
    rows.rtt.push(await ping());
  }
}
await cluster.stop();
await Promise.all([ended(client), ended(server)]);
const us = (ns: readonly number[]): number[] => ns.map((value) => value / 1000);
report(
  [
    {
      name: 'URPC round trip, 64 bytes, against an echo over bare ws',
      unit: 'µs',
      ours: us(rows.rtt),
      baseline: us(rows.bareRtt),
      target: { kind: 'at most', ratio: 1.15 },
    },
    {
      name: 'URPC throughput, 64-byte messages, against bare ws with one frame a message',
      unit: 'messages/s',
      ours: rows.rate,
      baseline: rows.plain,
      target: { kind: 'at least', ratio: 6 },
    },
    {
      name: 'URPC throughput, 64-byte messages, against bare ws with hand-batched frames',
      unit: 'messages/s',
      ours: rows.rate,
      baseline: rows.batched,
      target: { kind: 'at least', ratio: 0.2 },
    },
  ],
  'urpc',
);

/**
 * The cost of programs' channels on processes, side by side with what they are built on: npm run bench -- channels
 *   [runs]
 * Same core: a null request over a channel (LRPC) against a system call with an asynchronous answer. Across cores: a
 * null request against an echo over a bare WebSocket between two processes; 64-byte messages over a channel against
 * URPC's. Also all three against what their hops cost when nothing is done at any (baseline/hops.mjs).
 */
import { join } from 'node:path';
import { programText } from '../scripts/bundle-program.mjs';
import { ended, messageOf, startBaseline, startCluster } from './cluster.ts';
import { report } from './report.ts';

const RUNS = Number(process.argv[2] ?? 5);
const CALLS = 2_000;
const MESSAGES = 300_000;
const FLOOD = 600_000;
/** With this payload a flood message takes 64 bytes on the wire. */
const PAYLOAD = 54;

const server = startBaseline('echo.mjs', ['server']);
const { port } = await messageOf(server, 'listening');
const client = startBaseline('echo.mjs', ['client', String(port)]);
await messageOf(client, 'ready');
const hopsServer = startBaseline('hops.mjs', ['server']);
const hopsPort = (await messageOf(hopsServer, 'listening')).port;
const hopsClient = startBaseline('hops.mjs', ['client', String(hopsPort)]);
await messageOf(hopsClient, 'ready');
const cluster = await startCluster(2);
const text = await programText(join(process.cwd(), 'packages/programs/src/tests/channel-bench.ts'));
await cluster.ask(0, 'program_load', { name: 'channel-bench', text: Buffer.from(text).toString('base64') });

/** Runs one part of the program; nanoseconds per call or message. */
async function part(name: string, count: number): Promise<number> {
  const args = [name, String(count)];
  const { domain } = await cluster.ask<{ domain: string }>(0, 'domain_spawn', {
    program: 'channel-bench',
    core: 0,
    args,
  });
  const {
    cause,
    status,
    text: why,
  } = await cluster.ask<{ cause: string; status: number; text: string }>(0, 'domain_wait', { domain });
  if (cause !== 'exited') throw new Error(`${name}: ${cause} ${why}`);
  return status;
}

async function bareEcho(): Promise<number> {
  client.send({ order: 'echo', count: CALLS });
  return (await messageOf(client, 'result')).value as number;
}

/** `local`: thread → process → thread. `hops`: thread → process → bare ws → process → thread, and back. */
async function bareHops(order: 'local' | 'hops'): Promise<number> {
  hopsClient.send({ order, count: CALLS });
  return (await messageOf(hopsClient, 'result')).value as number;
}

async function flood(): Promise<number> {
  const { elapsedNs } = await cluster.ask<{ elapsedNs: number }>(0, 'flood', { core: 1, count: FLOOD, bytes: PAYLOAD });
  return (FLOOD / elapsedNs) * 1e9;
}

const rows = {
  call: [] as number[],
  local: [] as number[],
  remote: [] as number[],
  echo: [] as number[],
  rate: [] as number[],
  urpc: [] as number[],
  hop: [] as number[],
  hops: [] as number[],
};
await part('local', CALLS);
for (let warm = 0; warm < 2; warm += 1) {
  await bareEcho();
  await bareHops('hops');
}
for (let run = 0; run < RUNS; run += 1) {
  rows.call.push((await part('call', CALLS)) / 1e3);
  rows.local.push((await part('local', CALLS)) / 1e3);
  rows.remote.push((await part('remote', CALLS)) / 1e3);
  rows.echo.push((await bareEcho()) / 1e3);
  rows.hop.push((await bareHops('local')) / 1e3);
  rows.hops.push((await bareHops('hops')) / 1e3);
  rows.rate.push(1e9 / (await part('stream', MESSAGES)));
  rows.urpc.push(await flood());
}
await cluster.stop();
await Promise.all([client, server, hopsClient, hopsServer].map((child) => ended(child)));
report(
  [
    {
      name: 'null request on the same core (LRPC), against an asynchronous system call',
      unit: 'µs',
      ours: rows.local,
      baseline: rows.call,
      target: { kind: 'at most', ratio: 1.5 },
    },
    {
      name: 'null request across cores, against an echo over bare ws',
      unit: 'µs',
      ours: rows.remote,
      baseline: rows.echo,
      target: { kind: 'at most', ratio: 1.6 },
    },
    {
      name: '64-byte messages over a channel, against URPC',
      unit: 'messages/s',
      ours: rows.rate,
      baseline: rows.urpc,
      target: { kind: 'at least', ratio: 0.5 },
    },
    {
      name: 'an asynchronous system call, against its two hops between bare threads',
      unit: 'µs',
      ours: rows.call,
      baseline: rows.hop,
      target: null,
    },
    {
      name: 'a null request on the same core, against its four',
      unit: 'µs',
      ours: rows.local,
      baseline: rows.hop.map((hop) => 2 * hop),
      target: null,
    },
    {
      name: 'a null request across cores, against its six between bare threads and processes',
      unit: 'µs',
      ours: rows.remote,
      baseline: rows.hops,
      target: null,
    },
    {
      name: 'those six, against an echo over bare ws',
      unit: 'µs',
      ours: rows.hops,
      baseline: rows.echo,
      target: null,
    },
  ],
  'channels',
);

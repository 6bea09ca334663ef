/*
 * Processes as in containers, without a launcher and without numbers of their own: MK_CORES says four, and there are
 * three. They, and then the SKB with them, are killed at once and begin again (decision 0200).
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isRecord } from '@mk/monitor-proto/guards';
import { accessOf, fetchText } from '@mk/libmk/io/control-call';
import { ClusterPlace, freePort, type Running, until } from './running-cluster.ts';

const SECRET = '00112233445566778899aabbccddeeff';
const CORES = 3;
const access = accessOf(SECRET, null);
const place = new ClusterPlace();
const data = mkdtempSync(join(tmpdir(), 'mk-founded-'));
let ports: readonly number[] = [];
let skb: Running;
let cores: readonly Running[] = [];

beforeAll(async () => {
  ports = await Promise.all(Array.from({ length: CORES + 1 }, () => freePort()));
});

afterAll(async () => {
  await place.cleanUp();
  rmSync(data, { recursive: true });
});

function start(role: 'skb' | 'core', port: number): Running {
  const shared = { MK_SECRET: SECRET, MK_LISTEN_HOST: '127.0.0.1', MK_ADVERTISE_HOST: '127.0.0.1', MK_LEASE: '5m' };
  const own = role === 'skb' ? { MK_CORES: '4', MK_DATA_DIR: data } : { MK_SKB_ADDRESS: `127.0.0.1:${ports[0]}` };
  return place.start('mk-node.cjs', [role], { ...shared, ...own, MK_PORT: String(port) });
}

const startSkb = (): Running => start('skb', ports[0]!);
const startCores = (): readonly Running[] => ports.slice(1).map((port) => start('core', port));

async function kill(processes: readonly Running[]): Promise<void> {
  for (const { child } of processes) child.kill('SIGKILL');
  await Promise.all(processes.map(({ ended }) => ended));
}

/** Waits until each core says that it is in a view of all of them. */
async function founded(what: string): Promise<void> {
  for (const port of ports.slice(1)) {
    await until(`${what}: a view of ${CORES} at port ${port}`, async () => {
      const { body } = await fetchText(`127.0.0.1:${port}`, access, '/healthz').catch(() => ({ body: '{}' }));
      const health: unknown = JSON.parse(body);
      return isRecord(health) && health['members'] === CORES;
    });
  }
}

test('three cores of an expected four begin without the fourth, and begin again when all are killed', async () => {
  skb = startSkb();
  cores = startCores();
  await founded('the first life');
  await kill(cores);
  cores = startCores();
  await founded('the SKB has lived on');
  await kill([skb, ...cores]);
  skb = startSkb();
  cores = startCores();
  await founded('a later life of the SKB');
  // With one or two cores it may have to wait if the others are slow, but not with as many as the last view had.
  expect(skb.stdout).not.toContain(`${CORES} of 4 cores are here`);
});

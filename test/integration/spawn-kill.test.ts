import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Cluster, connect } from '@mk/libmk/io/connect';
import { programText } from '../../scripts/bundle-program.mjs';
import { heldAsBefore, type Holdings, holdingsOf, spawnAndEnd } from '../support/spawn-kill.ts';
import { ClusterPlace } from './running-cluster.ts';

/**
 * Domains that have exited, or were killed while waiting, while keeping their core, or before running, leave nothing
 * behind. `npm run bench -- spawn-kill` does so with a thousand.
 */

const place = new ClusterPlace();
let cluster: Cluster;
let pids: readonly number[];
beforeAll(async () => {
  const { ready } = await place.boot('--cores', '2');
  cluster = await connect({ cluster: 'mk', stateDirectory: place.state });
  pids = [0, 1].map((core) => ready.processes.find(({ name }) => name === `core-${core}`)?.pid ?? 0);
});
afterAll(async () => {
  await cluster?.close();
  await place.cleanUp();
});

test('RAM, capabilities, dispatchers, channels, threads and files are what they were', async () => {
  const text = await programText(join(process.cwd(), 'packages', 'programs', 'src', 'tests', 'spawned.ts'));
  const look = (core: number): Promise<Holdings> => holdingsOf(cluster, core, pids[core] ?? 0);
  await spawnAndEnd(cluster, [0, 1], text, 4); // a core's first dispatcher also makes what is kept: a spare worker
  const before = await Promise.all([look(0), look(1)]);
  await spawnAndEnd(cluster, [0, 1], text, 24);
  for (const core of [0, 1]) {
    const { differs } = await heldAsBefore(() => look(core), before[core] as Holdings);
    expect({ core, differs }).toEqual({ core, differs: [] });
  }
});

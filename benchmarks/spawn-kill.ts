/**
 * What 1,000 domains, spawned and then exited or killed, leave behind on two cores of real processes: npm run bench --
 *   spawn-kill [count]
 * RAM, capabilities, dispatchers, channels, threads and files must be as before; the growth of resident memory is
 * printed.
 */
import { join } from 'node:path';
import { programText } from '../scripts/bundle-program.mjs';
import { heldAsBefore, holdingsOf, spawnAndEnd } from '../test/support/spawn-kill.ts';
import { startCluster } from './cluster.ts';

const COUNT = Number(process.argv[2] ?? 1000);
const WARM = 100;
const cluster = await startCluster(2);
const access = { core: cluster.ask, cores: () => Promise.resolve([]) };
const text = await programText(join(process.cwd(), 'packages/programs/src/tests/spawned.ts'));
const pids = cluster.cores.map(({ pid }) => pid ?? 0);
const look = (core: number) => holdingsOf(access, core, pids[core] ?? 0);

await spawnAndEnd(access, [0, 1], text, WARM);
const before = [await look(0), await look(1)];
const say = (text: string): void => void process.stdout.write(`${text}\n`);
say(`after ${WARM}: ${JSON.stringify(before.map(({ channels: _channels, ...row }) => row))}`);
const startedAt = performance.now();
for (let done = 0; done < COUNT; done += COUNT / 4) {
  await spawnAndEnd(access, [0, 1], text, Math.ceil(COUNT / 4));
  const resident = [(await look(0)).residentMiB, (await look(1)).residentMiB];
  say(`${Math.round(done + COUNT / 4)} more: ${resident.join(' and ')} MiB resident`);
}
say(`${COUNT} in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
for (const core of [0, 1]) {
  const { now, differs } = await heldAsBefore(() => look(core), before[core]!);
  say(
    `core ${core}: ${differs.length === 0 ? 'everything as before' : `DIFFERS: ${differs.join(', ')}`}; ${JSON.stringify({ ...now, channels: undefined })}`,
  );
  if (differs.length > 0) process.exitCode = 1;
}
await cluster.stop();

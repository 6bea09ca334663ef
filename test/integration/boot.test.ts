import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace, type Running, until } from './running-cluster.ts';

let place: ClusterPlace;
beforeEach(() => {
  place = new ClusterPlace();
});

/**
 * Starts `mk-launch` with a core 7 that never reaches its own program: boot is not complete before the test has acted.
 */
function bootWithoutCore7(): Running {
  const hold = join(place.state, 'hold.cjs');
  writeFileSync(
    hold,
    `if (JSON.parse(process.env.MK_CORE ?? '{}').core === 7) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`,
  );
  const environment = { NODE_OPTIONS: `--require ${hold}` };
  return place.start('mk-launch.cjs', ['--cores', '8', '--json'], environment);
}
afterEach(() => place.cleanUp());

test('boots, tells what runs, and ends cleanly on one Ctrl-C', async () => {
  const { launcher, ready } = await place.boot('--cores', '5');
  expect(ready).toMatchObject({ cores: 5, links: 10 });
  expect(ready.processes.map(({ name }) => name).sort()).toEqual([
    'core-0',
    'core-1',
    'core-2',
    'core-3',
    'core-4',
    'skb',
  ]);
  expect(JSON.stringify(ready)).not.toContain(place.record()!.secret);
  // A program that hears `ready` can read where each process listens.
  expect(place.record()!.processes).toEqual(
    ready.processes.map(({ name, pid, address }) => expect.objectContaining({ name, pid, address })),
  );
  launcher.child.kill('SIGINT');
  const { status, stderr } = await launcher.ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(place.processes()).toEqual([]);
  expect(place.record()).toBeNull();
});

test('one core alone is a cluster', async () => {
  const { launcher } = await place.boot('--cores', '1', '--for', '100ms');
  expect((await launcher.ended).status).toBe(0);
  expect(place.processes()).toEqual([]);
});

test('two Ctrl-C end everything at once', async () => {
  const { launcher, ready } = await place.boot('--cores', '4');
  // A hung core that the launcher does not know of delays a clean end.
  process.kill(ready.processes.find(({ name }) => name === 'core-2')!.pid, 'SIGSTOP');
  launcher.child.kill('SIGINT');
  await launcher.message('stopping');
  launcher.child.kill('SIGINT');
  expect((await launcher.ended).status).toBe(2);
  await until('all processes have ended', () => place.processes().length === 0);
});

test('Ctrl-C during boot leaves nothing', async () => {
  const launcher = bootWithoutCore7();
  await until('cores are being started', () => (place.record()?.processes.length ?? 0) > 3);
  launcher.child.kill('SIGINT');
  const { status, stderr } = await launcher.ended;
  expect(status).toBe(2);
  expect(stderr).toContain('interrupted');
  expect(place.processes()).toEqual([]);
  expect(place.record()).toBeNull();
});

test('SIGKILL of the launcher leaves no process, not even a hung core', async () => {
  const { launcher } = await place.boot('--cores', '4');
  expect((await place.mkctl('hang', '2')).status).toBe(0);
  launcher.child.kill('SIGKILL');
  await until('all processes have ended', () => place.processes().length === 0);
});

test('SIGKILL of the launcher during boot leaves no process', async () => {
  const launcher = place.launch('--cores', '8');
  await until('cores are being started', () => (place.record()?.processes.length ?? 0) > 3);
  launcher.child.kill('SIGKILL');
  await until('all processes have ended', () => place.processes().length === 0);
  // The next command that looks deletes its record.
  expect((await place.mkctl('ps')).status).toBe(2);
  expect(place.record()).toBeNull();
});

test('a core that dies during boot is named, and everything stops', async () => {
  const launcher = bootWithoutCore7();
  const victim = await until('core 5 is started', () =>
    place.record()?.processes.find(({ name }) => name === 'core-5'),
  );
  process.kill(victim.pid, 'SIGKILL');
  const { status, stderr } = await launcher.ended;
  expect(status).toBe(2);
  expect(stderr).toMatch(/core 5 died during boot \(killed by SIGKILL\)/);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(place.processes()).toEqual([]);
});

test('a port in use is a clear error', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { status, stderr } = await place.launch('--cores', '2', '--port', String(port)).ended;
  server.close();
  expect(status).toBe(2);
  expect(stderr).toMatch(new RegExp(`port ${port} .*--port`));
  expect(place.processes()).toEqual([]);
});

test('a boot that takes too long says what is missing', async () => {
  const { status, stderr } = await place.launch('--cores', '8', '--boot-timeout', '1ms').ended;
  expect(status).toBe(2);
  expect(stderr).toContain('boot is not complete');
  expect(place.processes()).toEqual([]);
});

test('a name is used once', async () => {
  const { launcher } = await place.boot('--cores', '2', '--name', 'once');
  const { status, stderr } = await place.launch('--cores', '2', '--name', 'once').ended;
  expect(status).toBe(2);
  expect(stderr).toContain('mkctl down --cluster once');
  launcher.child.kill('SIGTERM');
  expect((await launcher.ended).status).toBe(0);
});

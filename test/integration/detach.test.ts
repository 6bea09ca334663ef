import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace, type ReadyMessage, until } from './running-cluster.ts';

let place: ClusterPlace;
beforeEach(() => {
  place = new ClusterPlace();
});
afterEach(() => place.cleanUp());

async function detached(...args: string[]): Promise<ReadyMessage> {
  const launcher = place.launch('--detach', ...args);
  const ready = await launcher.message<ReadyMessage>('ready');
  expect((await launcher.ended).status).toBe(0);
  return ready;
}

test('a detached cluster stays, answers, logs, and goes down', async () => {
  await detached('--cores', '3');
  const rows = await place.ask<{ name: string; state: string }[]>('ps');
  expect(rows.map(({ name, state }) => [name, state])).toEqual([
    ['skb', 'running'],
    ['core-0', 'running'],
    ['core-1', 'running'],
    ['core-2', 'running'],
  ]);
  const logged = await until('the SKB has logged the mesh', async () => {
    const { stdout } = await place.mkctl('logs', '--event', 'mesh_complete', '--json');
    return stdout.includes('"cores":3') ? stdout : null;
  });
  expect(logged).toContain('"core":"skb"');
  const { status, stdout } = await place.mkctl('down');
  expect(status).toBe(0);
  expect(stdout).toContain('down');
  expect(place.processes()).toEqual([]);
});

test('cores outlive a killed supervisor, and mkctl down still ends them', async () => {
  const { supervisor } = await detached('--cores', '3');
  process.kill(supervisor.pid, 'SIGKILL');
  await until('the supervisor is gone', () => !place.processes().includes(supervisor.pid));
  expect((await place.mkctl('ping', '0', '1')).status).toBe(0);
  const refused = await place.mkctl('crash', '1');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('mkctl down');
  expect((await place.mkctl('down')).status).toBe(0);
  expect(place.processes()).toEqual([]);
});

test('down ends a cluster whose core hangs and whose supervisor is gone', async () => {
  const { supervisor, processes } = await detached('--cores', '2');
  process.kill(processes.find(({ name }) => name === 'core-1')!.pid, 'SIGSTOP');
  process.kill(supervisor.pid, 'SIGKILL');
  expect((await place.mkctl('down')).status).toBe(0);
  expect(place.processes()).toEqual([]);
});

test('the launcher that dies while a detached cluster boots takes it along', async () => {
  const launcher = place.launch('--detach', '--cores', '8');
  await until('cores are being started', () => (place.record()?.processes.length ?? 0) > 3);
  launcher.child.kill('SIGKILL');
  await until('all processes have ended', () => place.processes().length === 0);
});

test('a state folder that is deleted, or cannot be written, ends nothing, and comes back', async () => {
  const { supervisor, processes } = await detached('--cores', '2');
  const core = processes.find(({ name }) => name === 'core-1')!;
  rmSync(place.state, { recursive: true });
  writeFileSync(place.state, 'in its way');
  process.kill(core.pid, 'SIGKILL');
  await until('core 1 has ended', () => !place.processes().includes(core.pid));
  rmSync(place.state);
  await until('the record is there again', () => place.record());
  expect(place.processes()).toContain(supervisor.pid);
  expect((await place.mkctl('restart', '1')).status).toBe(0);
  expect((await place.mkctl('down')).status).toBe(0);
  expect(place.processes()).toEqual([]);
});

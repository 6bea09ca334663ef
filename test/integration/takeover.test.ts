import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace, PATIENT, type ReadyMessage, until } from './running-cluster.ts';

let place: ClusterPlace;
beforeEach(() => {
  place = new ClusterPlace();
});
afterEach(() => place.cleanUp());

const processOf = (name: string): number => place.record()!.processes.find((process) => process.name === name)!.pid;

async function certificates(): Promise<string> {
  const rows = await place.ask<{ name: string; serial: string }[]>('certs');
  const ofProcesses = rows.filter(({ name }) => name === 'skb' || name.startsWith('core-'));
  return ofProcesses
    .map(({ name, serial }) => `${name} ${serial}`)
    .toSorted()
    .join();
}

async function killed(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await until('it is gone', () => !place.processes().includes(pid));
}

test('a supervisor is killed under load and followed by one of two; the cluster goes on, and is theirs to end', async () => {
  const launcher = place.launch('--detach', '--cores', '3', '--tls', 'auto', ...PATIENT);
  const { supervisor } = await launcher.message<ReadyMessage>('ready');
  await launcher.ended;
  expect(await place.start('mk-launch.cjs', ['takeover']).ended).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('nothing to take over'),
  });
  expect((await place.mkctl('link', '0', '1', '--delay', '1ms')).status).toBe(0);
  const certified = await certificates();

  const churning = place.mkctl('churn', '--seconds', '5', '--json');
  await killed(supervisor.pid);
  expect((await place.mkctl('crash', '1')).stderr).toContain('mk-launch takeover --name mk');
  const takers = await Promise.all([1, 2].map(() => place.start('mk-launch.cjs', ['takeover']).ended));
  expect(takers.map(({ status }) => status).toSorted()).toEqual([0, 1]);
  expect(takers.find(({ status }) => status === 0)!.stdout).toContain('took over cluster mk: 4 processes run');
  expect(await place.ask('faults')).toEqual([]);
  const { wrong, ok } = JSON.parse((await churning).stdout) as { wrong: []; ok: number };
  expect(wrong).toEqual([]);
  expect(ok).toBeGreaterThan(0);
  // A certificate is revoked by its serial: processes that carry on show the ones that they were given.
  await until('the certificates are told as before', async () => (await certificates()) === certified);
  expect((await place.mkctl('restart', '1')).status).toBe(0);
  expect(await place.ask('add', '--cores', '1')).toEqual({ added: [3] });

  // Nobody proves that core 0 is dead, and its lease is long: the view goes on once a new supervisor proves it.
  const second = place.record()!.supervisor.pid;
  expect(second).not.toBe(supervisor.pid);
  // The end of the SKB was seen, and is in no record: its port is known all the same.
  expect((await place.mkctl('crash', 'skb')).status).toBe(0);
  const core = processOf('core-0');
  await Promise.all([killed(second), killed(core)]);
  const again = await place.start('mk-launch.cjs', ['takeover', '--json']).ended;
  expect(again.status).toBe(0);
  expect((await place.mkctl('restart', 'skb')).status).toBe(0);
  await until('the view goes on without core 0', async () => {
    const { stdout } = await place.mkctl('view', '--json');
    return !(JSON.parse(stdout) as { members: { core: number }[] }).members.some((member) => member.core === 0);
  });
  expect((await place.mkctl('restart', '0')).status).toBe(0);
  expect((await place.mkctl('restart', 'skb')).status).toBe(0);
  await until('the audit finds every core whole', async () => (await place.mkctl('audit')).status === 0);
  const { stdout } = await place.mkctl('logs', '--event', 'process_started', '--json');
  expect(stdout.split('\n').filter((line) => line.includes('"core":"launcher"'))).toHaveLength(3);

  process.kill(place.record()!.supervisor.pid, 'SIGTERM');
  await until('all processes have ended', () => place.processes().length === 0);
  expect(place.record()).toBeNull();
});

test('a core that was added and has ended is known after a takeover, and an end that meets a takeover leaves nothing', async () => {
  const launcher = place.launch('--detach', '--cores', '1', '--machine', 'amd-2x2', ...PATIENT);
  const { supervisor } = await launcher.message<ReadyMessage>('ready');
  await launcher.ended;
  expect(await place.ask('add', '--cores', '1')).toEqual({ added: [1] });
  expect((await place.mkctl('crash', '1')).status).toBe(0);
  await killed(supervisor.pid);
  const taken = await place.start('mk-launch.cjs', ['takeover']).ended;
  expect([taken.status, taken.stdout]).toEqual([0, expect.stringContaining('ended: core 1')]);
  expect((await place.mkctl('restart', '1')).status).toBe(0);

  await killed(place.record()!.supervisor.pid);
  const [down] = await Promise.all([place.mkctl('down'), place.start('mk-launch.cjs', ['takeover']).ended]);
  expect([down.status, down.stderr]).toEqual([0, '']);
  await until('all processes have ended', () => place.processes().length === 0);
  expect(place.record()).toBeNull();
});

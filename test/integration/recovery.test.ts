import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace, type ReadyMessage, type Running, until } from './running-cluster.ts';

/*
 * A core on which others depend is killed: it is the home of memory mapped elsewhere, runs dispatchers of domains,
 * serves channels and holds a lock. Operations under way succeed or fail by name, survivors carry on, and the audit
 * finds nothing. One cluster; every test leaves it whole.
 */
const place = new ClusterPlace();
let launcher: Running;
let ready: ReadyMessage;

beforeAll(async () => {
  ({ launcher, ready } = await place.boot('--cores', '4', '--session-timeout', '100s'));
});
afterAll(async () => {
  expect(await place.end(launcher)).toEqual({ status: 0, left: [] });
});

async function restarted(target: string): Promise<void> {
  expect((await place.mkctl('restart', target)).status).toBe(0);
  await until('every core is in one view', async () => {
    const { stdout, status } = await place.mkctl('view', '--json');
    if (status !== 0) return false;
    const { view, members, cores } = JSON.parse(stdout) as Record<'members' | 'cores', { view: number }[]> & {
      view: number;
    };
    return members.length === 4 && cores.every((core) => core.view === view);
  });
}

async function violations(): Promise<unknown> {
  // An absent core alone makes the status 1.
  const { stdout } = await place.mkctl('audit', '--json');
  return (JSON.parse(stdout) as { violations: unknown }).violations;
}

test('the home of shared memory, a spanned domain, a server and the holder of a lock die with their core', async () => {
  const program = join(import.meta.dirname, '../../packages/programs/src/tests/survive.ts');
  const running = place.start('mkctl.cjs', ['run', program, '--on', '0', '--', '2']);
  const churning = place.mkctl('churn', '--seconds', '3', '--json');
  await until('the program is ready', () => {
    if (running.child.exitCode !== null) throw new Error(running.stdout + running.stderr);
    return /^ready$/m.test(running.stdout);
  });
  process.kill(ready.processes.find(({ name }) => name === 'core-2')!.pid, 'SIGKILL');
  const { stdout, stderr } = await running.ended;
  const ends = Object.fromEntries([...stdout.matchAll(/^(\w+): (\S+)$/gm)].map(([, what, end]) => [what, end]));
  const gone = expect.stringMatching(/^(PEER_GONE|DISPATCHER_LOST|DISPATCHER_GONE)$/);
  expect({ ends, stderr }).toEqual({
    ends: { request: gone, thread: gone, call: gone, lock: 'ok', process: 'HOME_GONE', write: 'HOME_LOST' },
    stderr: '',
  });
  const { wrong } = JSON.parse((await churning).stdout) as { wrong: unknown };
  expect(wrong).toEqual([]);
  expect(await violations()).toEqual([]);
  expect(await place.ask('bench', 'round', '--phases', '2', '--count', '1')).toMatchObject({ cores: 3 });
  await restarted('2');
  expect(await violations()).toEqual([]);
});

test('the SKB is killed and brought back under load: operations of the cores go on meanwhile', async () => {
  const flooding = place.mkctl('bench', 'flood', '1', '3', '--count', '200000', '--json');
  process.kill(ready.processes.find(({ name }) => name === 'skb')!.pid, 'SIGKILL');
  await until('it is gone', async () => {
    const rows = await place.ask<{ name: string; state: string }[]>('ps');
    return rows.some(({ name, state }) => name === 'skb' && state === 'ended');
  });
  expect(await place.ask('bench', 'round', '--phases', '2', '--count', '3')).toMatchObject({ cores: 4 });
  await restarted('skb');
  const { status, stderr } = await flooding;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect((await place.mkctl('churn', '--seconds', '1')).status).toBe(0);
  expect(await violations()).toEqual([]);
});

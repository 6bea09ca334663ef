/** Silent holders lose what they hold within the session time-out, and are told: real processes, stopped and killed. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { acquireLock } from '@mk/libmk/octopus/lock';
import { acquirePermit, postSemaphore, tryWaitSemaphore } from '@mk/libmk/octopus/semaphore';
import { KnowledgePlace } from './knowledge-place.ts';
import type { Running } from './running-cluster.ts';
import { until } from './running-cluster.ts';

const cluster = new KnowledgePlace();

beforeAll(() => cluster.boot(2, '--session-timeout', '5s'));
afterAll(async () => {
  expect(await cluster.end()).toEqual({ status: 0, left: [] });
});

async function holding(...args: string[]): Promise<Running> {
  const running = cluster.place.start('mkctl.cjs', ['oct', ...args, '--for', '300s']);
  await until('it holds', () => running.stdout.includes('held'));
  return running;
}

test('a stopped holder of a lock: the next has it, with a higher token; the first ends with one line and status 1', async () => {
  const name = "it's\na lock";
  const first = await holding('lock', name);
  const { octopus } = await cluster.client();
  const next = acquireLock(octopus, name);
  first.child.kill('SIGSTOP');
  const lock = await next;
  expect(lock.token).toBe(2);
  first.child.kill('SIGCONT');
  const { status, stderr } = await first.ended;
  expect(status).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain('LOCK_LOST');
  await lock.release();
  await expect(acquireLock(octopus, name).then((third) => third.token)).resolves.toBe(3);
});

test('a killed holder of a permit gives it back; a stopped one is told', async () => {
  const { octopus } = await cluster.client();
  await postSemaphore(octopus, 'sem');
  const killed = await holding('permit', 'sem');
  expect(await tryWaitSemaphore(octopus, 'sem')).toBe(false);
  killed.child.kill('SIGKILL');
  const permit = await acquirePermit(octopus, 'sem');
  await permit.release();
  const stopped = await holding('permit', 'sem');
  stopped.child.kill('SIGSTOP');
  await (await acquirePermit(octopus, 'sem')).release();
  stopped.child.kill('SIGCONT');
  expect(await stopped.ended).toMatchObject({ status: 1, stderr: expect.stringContaining('PERMIT_LOST') });
});

test('a core that hangs loses its locks and stays a member; a program on it is told when it wakes', async () => {
  const { octopus } = await cluster.client();
  const set = { type: 'set', record: "'lock:core'", sequential: true, transient: true, recipe: 'lock' };
  await cluster.askCore(1, 'octopus', { request: set });
  expect((await cluster.place.mkctl('hang', '1')).status).toBe(0);
  const lock = await acquireLock(octopus, 'core');
  expect(lock.token).toBe(2);
  expect((await cluster.place.mkctl('heal')).status).toBe(0);
  const request = { type: 'exists', query: "'lock:core_1'" };
  expect(await cluster.askCore(1, 'octopus', { request })).toMatchObject({ ok: false, error: 'NO_RECORD' });
  await lock.release();
});

test('release of what is lost says so, and so do its promise and its signal', async () => {
  const [holder, other] = await cluster.clientsOf(2);
  const lock = await acquireLock(holder!.octopus, 'taken');
  await other!.transport.request({ type: 'del', query: `'lock:taken_${lock.token}'`, recipe: 'lock' });
  await expect(lock.lost).rejects.toThrow('LOCK_LOST');
  expect(lock.signal.aborted).toBe(true);
  await expect(lock.release()).rejects.toThrow('LOCK_LOST');
});

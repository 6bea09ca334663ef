import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace, type Running, until } from './running-cluster.ts';

/* One cluster of six cores; every test leaves it whole. */
const CORES = 6;
const place = new ClusterPlace();
let launcher: Running;

beforeAll(async () => {
  ({ launcher } = await place.boot('--cores', String(CORES), '--latency', '1ms'));
});
afterAll(async () => {
  expect(await place.end(launcher)).toEqual({ status: 0, left: [] });
});

interface Member {
  readonly core: number;
  readonly incarnation: number;
  readonly up: boolean;
  readonly links: number;
}

async function whole(): Promise<readonly Member[]> {
  return until('all cores are bound to one another', async () => {
    const members = await place.ask<Member[]>('cores');
    return members.length === CORES && members.every(({ up, links }) => up && links === CORES - 1) ? members : null;
  });
}

test('a link changes at run time, is measured again, and heals', async () => {
  await until(
    'the first measurement is there',
    async () => (await place.ask<unknown[]>('links')).length === CORES * (CORES - 1),
  );
  expect((await place.mkctl('link', '0', '3', '--delay', '30ms')).status).toBe(0);
  const slow = await place.ask<{ min_ns: number }>('ping', '0', '3', '--count', '5');
  expect(slow.min_ns).toBeGreaterThanOrEqual(59.9e6);
  const known = (rows: { from: number; to: number; min_ns: number }[]): number =>
    rows.find(({ from, to }) => from === 0 && to === 3)!.min_ns;
  await until('the SKB has heard of it', async () => known(await place.ask('links')) >= 59.9e6);
  const [fault] = await place.ask<{ rule: { id: string }; counters: { delayed: number } }[]>('faults');
  expect(fault!.counters.delayed).toBeGreaterThan(0);
  expect((await place.mkctl('heal', '0', '3')).status).toBe(0);
  await until('pings are fast again', async () => (await shortestPing('0', '3')) < 30e6);
  expect(await place.ask('faults')).toEqual([]);
});

/** The shortest of five round trips, in nanoseconds: on a busy host many take longer. */
async function shortestPing(from: string, to: string): Promise<number> {
  return (await place.ask<{ min_ns: number }>('ping', from, to, '--count', '5')).min_ns;
}

test('one direction of a link can be slow', async () => {
  await place.ask('link', '1', '2', '--delay', '40ms', '--one-way');
  await until('a round trip that is delayed once, not twice', async () => {
    const ns = await shortestPing('2', '1');
    expect(ns).toBeGreaterThanOrEqual(40.9e6);
    return ns < 79e6;
  });
  await place.ask('heal');
});

test('loss, duplicates, reordering and resets are hidden', async () => {
  await place.ask('link', '0', '1', '--loss', '2%', '--duplicate', '5%', '--reorder', '5%', '--reset', '200ms');
  const result = await place.ask<object>('bench', 'flood', '0', '1', '--count', '50000');
  expect(result).toMatchObject({ sent: 50_000, received: 50_000, lost: 0, doubled: 0, reordered: 0 });
  await place.ask('heal');
});

test('a crashed core starts again as the next incarnation and joins', async () => {
  await whole();
  expect((await place.mkctl('crash', '5')).status).toBe(0);
  const twice = await place.mkctl('crash', '5');
  expect(twice.status).toBe(1);
  expect(twice.stderr).toContain('mkctl restart 5');
  const ps = await place.ask<{ name: string; state: string; how: string }[]>('ps');
  expect(ps.find(({ name }) => name === 'core-5')).toMatchObject({ state: 'ended', how: 'killed by SIGKILL' });
  expect((await place.mkctl('restart', '5')).status).toBe(0);
  expect((await whole()).find(({ core }) => core === 5)!.incarnation).toBe(2);
  expect(await place.ask('bench', 'round', '--phases', '2', '--count', '1')).toMatchObject({
    cores: CORES,
    messages: 4 * (CORES - 1),
  });
});

test('a restart of a running core, and of several at once', async () => {
  const before = await whole();
  expect((await place.mkctl('restart', '3,4')).status).toBe(0);
  const after = await whole();
  for (const core of [3, 4]) expect(after[core]!.incarnation).toBe(before[core]!.incarnation + 1);
  expect(after[0]!.incarnation).toBe(before[0]!.incarnation);
});

test('a restarted core gets the faults that are in force', async () => {
  await place.ask('link', '2', 'all', '--delay', '30ms', '--one-way');
  await place.ask('restart', '2');
  await whole();
  expect((await place.ask<{ min_ns: number }>('ping', '2', '0', '--count', '3')).min_ns).toBeGreaterThanOrEqual(30.9e6);
  await place.ask('heal');
});

test('a hung core is missed and comes back; faults reach it when it wakes', async () => {
  await place.ask('hang', '4');
  expect(await place.ask('isolate', '4', '--for', '60s')).toMatchObject({ missing: [4] });
  expect((await place.mkctl('ping', '0', '1')).status).toBe(0);
  const healed = await place.ask<{ woken: string[] }>('heal');
  expect(healed.woken).toEqual(['core-4']);
  expect(await place.ask('bench', 'round', '--count', '1')).toMatchObject({ cores: CORES });
});

test('hang --for wakes by itself', async () => {
  await place.ask('hang', '1', '--for', '300ms');
  await until(
    'core 1 runs on',
    async () =>
      (await place.ask<{ name: string; state: string }[]>('ps')).find(({ name }) => name === 'core-1')!.state ===
      'running',
  );
  expect((await place.mkctl('ping', '0', '1')).status).toBe(0);
});

test('an operation across a partition ends in a named error within its deadline, disturbs nobody, and works after healing', async () => {
  await place.ask('partition', '0-2', 'rest');
  const failing = place.mkctl('bench', 'round', '--count', '1');
  expect((await place.mkctl('ping', '0', '1')).status).toBe(0);
  expect((await place.mkctl('ping', '3', '4')).status).toBe(0);
  const { status, stderr } = await failing; // its deadline is 10 s; without one it would never end
  expect(status).toBe(1);
  expect(stderr).toContain('OPERATION_TIMEOUT');
  await place.ask('heal');
  await until(
    'a round reaches everybody',
    async () => (await place.mkctl('bench', 'round', '--count', '1')).status === 0,
  );
});

test('what names no core, or a core that is not there, is refused in one line', async () => {
  for (const args of [
    ['crash', '77'],
    ['hang', '77'],
    ['restart', '77'],
    ['isolate', '77'],
    ['link', '0', '77', '--delay', '1ms'],
    ['partition', '0', '77'],
    ['ping', '0', '77'],
    ['tree', '77'],
  ]) {
    const { status, stderr, stdout } = await place.mkctl(...args);
    expect({ args, status, lines: stderr.trim().split('\n').length, stdout }).toEqual({
      args,
      status: 1,
      lines: 1,
      stdout: '',
    });
    expect(stderr).toContain('77');
  }
});

test('cores can be added', async () => {
  const { added } = await place.ask<{ added: number[] }>('add', '1');
  expect(added).toEqual([CORES]);
  await until(
    'the new core is bound to all',
    async () => (await place.ask<Member[]>('cores')).filter(({ links }) => links === CORES).length === CORES + 1,
  );
});

test('health and metrics of all processes', async () => {
  const rows = await place.ask<{ process: string; ok: boolean }[]>('healthz');
  expect(rows.every(({ ok }) => ok)).toBe(true);
  const { stdout, status } = await place.mkctl('metrics');
  expect(status).toBe(0);
  expect(stdout).toMatch(/process="core-3"/);
  const types = stdout.split('\n').filter((line) => line.startsWith('# TYPE'));
  expect(new Set(types).size).toBe(types.length);
});

test('faults on top of faults: each ends in a result or one line, and restart makes the core whole', async () => {
  const outcomes = await Promise.all([
    place.mkctl('restart', '2'),
    place.mkctl('restart', '2'),
    place.mkctl('hang', '3'),
    place.mkctl('crash', '4'),
    place.mkctl('crash', '4'),
  ]);
  for (const { status, stderr } of outcomes) {
    expect([0, 1]).toContain(status);
    expect(stderr.split('\n').filter(Boolean).length).toBe(status === 0 ? 0 : 1);
  }
  // A hung core is restarted like any other, and so is a core killed while it hung.
  expect((await place.mkctl('restart', '3')).status).toBe(0);
  expect((await place.mkctl('hang', '4')).status).toBe(1);
  expect((await place.mkctl('restart', '4')).status).toBe(0);
  await place.ask('hang', '1');
  await place.ask('crash', '1');
  expect((await place.mkctl('restart', '1')).status).toBe(0);
  await place.ask('restart', '2');
  await until('all cores are bound to one another', async () => {
    const members = await place.ask<Member[]>('cores');
    return members.length === CORES + 1 && members.every(({ up, links }) => up && links === CORES);
  });
  expect(await place.ask('bench', 'round', '--count', '1')).toMatchObject({ cores: CORES + 1 });
});

test('the SKB can be lost and started again; links between cores do not need it', async () => {
  await place.ask('crash', 'skb');
  expect((await place.mkctl('ping', '0', '1')).status).toBe(0);
  const { status, stderr } = await place.mkctl('links');
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('restart skb') });
  await place.ask('restart', 'skb');
  await until(
    'all cores have registered again',
    async () =>
      (await place.ask<Member[]>('cores')).filter(({ up, links }) => up && links === CORES).length === CORES + 1,
  );
});

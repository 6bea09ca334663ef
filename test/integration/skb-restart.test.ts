import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { acquireLock } from '@mk/libmk/octopus/lock';
import { KnowledgePlace } from './knowledge-place.ts';
import { until } from './running-cluster.ts';

/* The SKB is killed (kill −9) under load and restarted by the supervisor while clients and cores use it. */
const CORES = 3;
const cluster = new KnowledgePlace();

// Longer than a busy host holds a client up; the last test waits for it.
beforeAll(() => cluster.boot(CORES, '--session-timeout', '60s'));
afterAll(async () => {
  expect(await cluster.end()).toEqual({ status: 0, left: [] });
});

interface Member {
  readonly incarnation: number;
  readonly up: boolean;
  readonly links: number;
}

test('10,000 acknowledged writes and three kills: none is lost, none takes effect twice', async () => {
  const clients = await cluster.clientsOf(4);
  const acknowledged = new Set<string>();
  const each = 2_500;
  const writing = Promise.all(
    clients.map(async ({ octopus }) => {
      for (let i = 0; i < each; i += 20) {
        const records = await Promise.all(
          Array.from({ length: 20 }, () => octopus.set('written', { sequential: true })),
        );
        for (const { name } of records) acknowledged.add(name);
      }
    }),
  );
  for (let kill = 1; kill <= 3; kill++) {
    await until('so many are acknowledged', () => acknowledged.size > kill * 2_000);
    await cluster.killSkb();
  }
  await writing;
  const { octopus } = clients[0]!;
  expect(acknowledged.size).toBe(4 * each);
  expect(new Set(await octopus.getNames("r'^written_'"))).toEqual(acknowledged);
});

test('cores stay who they are, and keep one another', async () => {
  const before = await cluster.place.ask<Member[]>('cores');
  await cluster.killSkb();
  const whole = (members: readonly Member[]): boolean =>
    members.length === CORES && members.every(({ up, links }) => up && links === CORES - 1);
  const after = await until('all have registered again', async () => {
    const members = await cluster.place.ask<Member[]>('cores').catch(() => []);
    return whole(members) ? members : null;
  });
  expect(after.map(({ incarnation }) => incarnation)).toEqual(before.map(({ incarnation }) => incarnation));
  expect((await cluster.place.mkctl('bench', 'round', '--count', '1')).status).toBe(0);
});

test('whoever waits over a restart is woken: a lock, a record, a watch, a query', async () => {
  const [holder, waiter, watcher] = await cluster.clientsOf(3);
  const lock = await acquireLock(holder!.octopus, 'survives');
  const second = acquireLock(waiter!.octopus, 'survives');
  const record = waiter!.octopus.waitFor('late');
  const told: string[] = [];
  await watcher!.octopus.watch("r'^late'", ({ kind }) => told.push(kind));
  await cluster.killSkb();
  const query = watcher!.queryAll('running_core(C)');
  await lock.release();
  await (await second).release();
  await holder!.octopus.set('late { n: 1 }');
  expect((await record).attributes).toEqual({ n: 1 });
  await until('the watch tells', () => told.includes('set'));
  expect((await query).solutions.length).toBeGreaterThan(0);
});

test('rules are there again; what a client that is gone had set as transient is not', async () => {
  const [client, doomed] = await cluster.clientsOf(2);
  await client!.setRules('mine', 'three_times(X, Y) :- Y is 3 * X.');
  await doomed!.octopus.set('temporary', { transient: true });
  await client!.octopus.set('permanent');
  const { status } = await cluster.place.mkctl('crash', 'skb');
  expect(status).toBe(0);
  await doomed!.close();
  expect((await cluster.place.mkctl('restart', 'skb')).status).toBe(0);
  expect((await client!.queryAll('three_times(4, Y)')).solutions[0]!.bindings).toEqual({ Y: 12 });
  expect(await client!.octopus.exists('permanent')).toBe(true);
  await until('its record is gone', async () => !(await client!.octopus.exists('temporary')));
});

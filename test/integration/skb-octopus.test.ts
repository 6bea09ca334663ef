import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { enterBarrier } from '@mk/libmk/octopus/barrier';
import { acquireLock } from '@mk/libmk/octopus/lock';
import { lookupService, registerService, waitForService } from '@mk/libmk/octopus/names';
import { Octopus, OctopusError } from '@mk/libmk/octopus/octopus';
import { postSemaphore, tryWaitSemaphore, waitSemaphore } from '@mk/libmk/octopus/semaphore';
import { octopusOfCore } from '@mk/launcher/client/core-octopus';
import { KnowledgePlace } from './knowledge-place.ts';
import { until } from './running-cluster.ts';

/*
 * Octopus over real links: what Barrelfish's own tests check (usr/tests/octopus: d2getset, d2triggers, d2pubsub,
 * d2locks, d2barriers, d2sem); every participant is a client with its own link.
 */
const cluster = new KnowledgePlace();

// What is given back is given back at once: nothing here waits for a session to time out.
beforeAll(() => cluster.boot(2, '--session-timeout', '1d'));
afterAll(async () => {
  expect(await cluster.end()).toEqual({ status: 0, left: [] });
});

test('get and set: attributes, constraints, regular expressions, names in natural order, deletion', async () => {
  const { octopus } = await cluster.client();
  expect(await octopus.get('recordA')).toBeUndefined();
  expect((await octopus.set("recordA { attribute: 'value', weight: 10 }")).attributes).toEqual({
    attribute: 'value',
    weight: 10,
  });
  await octopus.set('recordB { weight: 20 }');
  await octopus.set('recordC { weight: 20, fl: 12.0 }');
  expect(await octopus.getNames('_ { weight: 20 }')).toEqual(['recordB', 'recordC']);
  expect((await octopus.get('_ { weight: > 10, fl: > 11.0 }'))?.name).toBe('recordC');
  expect((await octopus.get("_ { attribute: r'^val' }"))?.name).toBe('recordA');
  expect(await octopus.compareAndSet('recordB { weight: 21, weight: == 19 }')).toBe(false);
  expect(await octopus.compareAndSet('recordB { weight: 21, weight: == 20 }')).toBe(true);
  for (let number = 1; number <= 11; number++) await octopus.set('seq', { sequential: true });
  expect((await octopus.getNames("r'^seq_[0-9]+$'")).at(-1)).toBe('seq_11');
  expect(await octopus.delete('recordA')).toBe(true);
  expect(await octopus.exists('recordA')).toBe(false);
  await expect(octopus.get('recordA { oops')).rejects.toThrow(OctopusError);
});

test('triggers: told of every set and deletion in order, by another client, until removed', async () => {
  const [watching, acting] = await cluster.clientsOf(2);
  const told: string[] = [];
  const stop = await watching!.octopus.watch("r'^trig'", ({ kind, record }) =>
    told.push(`${kind} ${record?.text ?? ''}`),
  );
  await acting!.octopus.set('trig1 { a: 1 }');
  await acting!.octopus.set('trig1 { a: 2 }');
  await acting!.octopus.delete('trig1');
  await until('three changes are told', () => told.length === 3);
  await stop();
  await acting!.octopus.set('trig2 { a: 3 }');
  await watching!.octopus.get('trig2');
  expect(told).toEqual(['set trig1 { a: 1 }', 'set trig1 { a: 2 }', 'deleted trig1 { a: 2 }', 'removed ']);
});

test('waiting for a record: no set is missed', async () => {
  const [waiting, setting] = await cluster.clientsOf(2);
  for (let round = 0; round < 200; round++) {
    const wait = waiting!.octopus.waitFor(`awaited${round}`);
    await setting!.octopus.set(`awaited${round} { n: ${round} }`);
    expect((await wait).attributes).toEqual({ n: round });
  }
});

test('publish and subscribe: by pattern and constraint, nothing is stored', async () => {
  const [publisher, ...subscribers] = await cluster.clientsOf(3);
  const heard: string[][] = [[], []];
  const stops = await Promise.all([
    subscribers[0]!.octopus.subscribe('_ { age: > 9 }', ({ record }) => heard[0]!.push(record?.name ?? 'end')),
    subscribers[1]!.octopus.subscribe("r'^person'", ({ record }) => heard[1]!.push(record?.name ?? 'end')),
  ]);
  await publisher!.octopus.publish('object { weight: 55 }');
  await publisher!.octopus.publish("person { name: 'A', age: 5 }");
  await publisher!.octopus.publish("person2 { name: 'B', age: 50 }");
  await until('both have heard', () => heard[0]!.length === 1 && heard[1]!.length === 2);
  for (const stop of stops) await stop();
  expect(heard).toEqual([
    ['person2', 'end'],
    ['person', 'person2', 'end'],
  ]);
  expect(await publisher!.octopus.exists('person2')).toBe(false);
});

test('a lock is handed on in the order it was asked for, among 8 clients, one holder at a time', async () => {
  const clients = await cluster.clientsOf(8);
  let holders = 0;
  const order: number[] = [];
  const rounds = 5;
  await Promise.all(
    clients.map(async ({ octopus }) => {
      for (let round = 0; round < rounds; round++) {
        const lock = await acquireLock(octopus, 'd2lock');
        holders += 1;
        expect(holders).toBe(1);
        order.push(lock.ticket);
        await octopus.get('anything');
        holders -= 1;
        await lock.release();
      }
    }),
  );
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(order).toHaveLength(8 * rounds);
});

test('a lock whose holder ends is free', async () => {
  const [holder, next] = await cluster.clientsOf(2);
  await acquireLock(holder!.octopus, 'orphan');
  const waiting = acquireLock(next!.octopus, 'orphan');
  await holder!.close();
  const lock = await waiting;
  expect(lock.ticket).toBe(2);
  await lock.release();
});

test.each(['SIGINT', 'SIGHUP'] as const)(
  'mkctl oct lock, asked to end by %s, hands the lock on; one that waits leaves the queue and ends by the signal',
  async (signal) => {
    const { octopus } = await cluster.client();
    const name = `until ${signal}`;
    const queue = (): Promise<readonly string[]> => octopus.getNames(`'lock:${name}'`, { sequence: true });
    const held = cluster.place.start('mkctl.cjs', ['oct', 'lock', name]);
    await until('the first has it', () => held.stdout.includes('held'));
    const waiting = cluster.place.start('mkctl.cjs', ['oct', 'lock', name]);
    await until('the second is in line', async () => (await queue()).length === 2);
    waiting.child.kill(signal);
    await waiting.ended;
    expect(waiting.child.signalCode).toBe(signal);
    await until('the first is alone in line', async () => (await queue()).length === 1);
    held.child.kill(signal);
    expect((await held.ended).status).toBe(0);
    await until('nobody is in line', async () => (await queue()).length === 0);
  },
);

test('a double barrier of 6: nobody is through before all are in, nobody leaves before all have', async () => {
  const clients = await cluster.clientsOf(6);
  for (let round = 0; round < 3; round++) {
    let inside = 0;
    let leaving = 0;
    await Promise.all(
      clients.map(async ({ octopus }) => {
        inside += 1;
        const barrier = await enterBarrier(octopus, 'd2bar', clients.length);
        expect(inside).toBe(clients.length);
        leaving += 1;
        await barrier.leave();
        expect(leaving).toBe(clients.length);
      }),
    );
  }
});

test('a semaphore of 3 lets three in at a time', async () => {
  const clients = await cluster.clientsOf(7);
  for (let permit = 0; permit < 3; permit++) await postSemaphore(clients[0]!.octopus, 'd2sem');
  let inside = 0;
  let most = 0;
  await Promise.all(
    clients.map(async ({ octopus }) => {
      await waitSemaphore(octopus, 'd2sem');
      most = Math.max(most, (inside += 1));
      await until('three are inside', () => most >= 3);
      inside -= 1;
      await postSemaphore(octopus, 'd2sem');
    }),
  );
  expect(most).toBe(3);
  for (let permit = 0; permit < 3; permit++) expect(await tryWaitSemaphore(clients[0]!.octopus, 'd2sem')).toBe(true);
  expect(await tryWaitSemaphore(clients[0]!.octopus, 'd2sem')).toBe(false);
});

test('the name service: one offers, another waits and finds; it goes with the one that offered', async () => {
  const [server, client] = await cluster.clientsOf(2);
  const found = waitForService(client!.octopus, 'block');
  await registerService(server!.octopus, 'block', { core: 3, endpoint: 17 });
  expect(await found).toEqual({ core: 3, endpoint: 17 });
  await expect(registerService(client!.octopus, 'block', { core: 1 })).rejects.toThrow('RECORD_EXISTS');
  await server!.close();
  await until('the service is gone', async () => (await lookupService(client!.octopus, 'block')) === undefined);
});

test('a core’s monitor is a client too: it waits in line for a lock, which goes with it', async () => {
  const core = new Octopus(octopusOfCore((verb, args) => cluster.askCore(1, verb, args)));
  const { octopus } = await cluster.client();
  const first = await acquireLock(octopus, 'shared');
  const second = acquireLock(core, 'shared');
  await first.release();
  await second;
  const third = acquireLock(octopus, 'shared');
  expect((await cluster.place.mkctl('restart', '1')).status).toBe(0);
  await (await third).release();
});

test('resets of the link lose nothing: 500 sequential sets over a link that breaks ten times', async () => {
  const client = await cluster.client();
  const sets: Promise<unknown>[] = [];
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 50; i++) sets.push(client.octopus.set('broken', { sequential: true }));
    await sets.at(-50); // the link is up, and has brought the first answer of this round
    client.resetLink();
  }
  await Promise.all(sets);
  expect(await client.octopus.getNames("r'^broken_'")).toEqual(
    Array.from({ length: 500 }, (_, i) => `broken_${i + 1}`),
  );
});

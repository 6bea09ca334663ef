import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ActiveRule } from '@mk/monitor-proto/link/rule-state';
import { controlToken } from '@mk/monitor-proto/io/crypto';
import { ClusterPlace, type Running, until } from './running-cluster.ts';

/*
 * One cluster of three cores that logs everything: orders to hung processes, the SKB's links, and a log that nobody
 * reads.
 */
const place = new ClusterPlace();
let launcher: Running;

beforeAll(async () => {
  ({ launcher } = await place.boot('--cores', '3', '--log-level', 'debug'));
});
afterAll(() => place.cleanUp());

function addressOf(name: string): string {
  return place.record()!.processes.find((process) => process.name === name)!.address;
}

/** Sends a verb to one process over its control port, bypassing the supervisor. */
async function ask<T>(name: string, verb: string, args: object = {}): Promise<T> {
  const authorization = `Bearer ${controlToken(Buffer.from(place.record()!.secret, 'hex'))}`;
  const body = JSON.stringify({ verb, args });
  const response = await fetch(`http://${addressOf(name)}/control`, {
    method: 'POST',
    body,
    headers: { authorization },
  });
  return ((await response.json()) as { value: T }).value;
}

function rulesOf(name: string): Promise<readonly ActiveRule[]> {
  return ask(name, 'faults');
}

async function counters(name: string): Promise<ReadonlyMap<string, number>> {
  const page = await (await fetch(`http://${addressOf(name)}/metrics`)).text();
  const samples = page.split('\n').filter((line) => line.includes('_total{'));
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('a core that hangs when a rule is healed is named, and wakes without it', async () => {
  await place.ask('partition', '0,1', '2');
  await place.ask('hang', '2');
  expect(await place.ask('heal', '--rule', 'partition:0,1_2')).toMatchObject({
    healed: ['partition:0,1_2'],
    missing: [2],
  });
  await place.ask('heal'); // wakes it
  expect(await rulesOf('core-2')).toEqual([]);
  await until('the woken core answers', async () => (await place.mkctl('ping', '0', '2', '--count', '1')).status === 0);
});

test('a rule about the SKB acts at both ends, and ends', async () => {
  await place.ask('link', '1', 'skb', '--delay', '5ms');
  for (const name of ['core-1', 'skb']) {
    await until(`${name} delays frames`, async () => ((await rulesOf(name))[0]?.counters.delayed ?? 0) > 0);
  }
  expect(await rulesOf('core-0')).toEqual([]);
  await place.ask('heal', '1', 'skb');
  expect(await rulesOf('skb')).toEqual([]);
  const { status, stderr } = await place.mkctl('link', '1', '9', '--delay', '5ms');
  expect(status).toBe(1);
  expect(stderr).toMatch('there is no core 9');
});

test('what a rule held back for ten minutes arrives when it is healed', async () => {
  await place.ask('link', '0', '1', '--delay', '10m');
  const asked = ask<{ readonly count: number }>('core-0', 'ping', { core: 1, count: 1 });
  await until('it is under way', async () => ((await rulesOf('core-0'))[0]?.counters.delayed ?? 0) > 0);
  await place.ask('heal');
  await until('the link carries again', async () => (await place.mkctl('ping', '0', '1', '--count', '1')).status === 0);
  await asked;
});

test('a rule for longer than a timer of Node can wait stays', async () => {
  await place.ask('link', '0', '1', '--delay', '1ms', '--for', '624h');
  expect(await rulesOf('core-0')).toHaveLength(1);
  await until('frames feel it', async () => (await rulesOf('core-0'))[0]!.counters.frames > 0);
  await place.ask('heal');
});

test('cores go on while nobody reads their log, and it is read on afterwards', async () => {
  process.kill(launcher.pid, 'SIGSTOP');
  try {
    for (let i = 0; i < 5; i++)
      expect(await ask('core-0', 'round', { plan: 'multicast', phases: 2, count: 200, bytes: 0 })).toBeTruthy();
    expect((await fetch(`http://${addressOf('core-0')}/healthz`)).status).toBe(200);
    expect((await counters('core-0')).get('mk_log_lines_dropped_total{core="0",sink="stdout"}')).toBeDefined();
  } finally {
    process.kill(launcher.pid, 'SIGCONT');
  }
  await until('the supervisor has read on', async () => (await place.mkctl('ps')).status === 0);
});

test('no counter falls when a peer is gone', async () => {
  await place.ask('bench', 'flood', '0', '2', '--count', '2000');
  const before = await counters('core-0');
  await place.ask('crash', '2');
  await until('core 0 knows that core 2 is gone', async () => {
    const links = await ask<readonly { readonly peer: number | string }[]>('core-0', 'links');
    return links.every(({ peer }) => peer !== 2);
  });
  const after = await counters('core-0');
  const fell = [...before].filter(([name, value]) => (after.get(name) ?? 0) < value);
  expect(fell).toEqual([]);
});

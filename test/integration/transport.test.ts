import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace, until } from './running-cluster.ts';

const place = new ClusterPlace();
const sockets = join(place.state, 'mk.sockets');

beforeAll(() => place.boot('--cores', '3', '--transport', 'unix'));
afterAll(() => place.cleanUp());

const addresses = async (): Promise<string[]> =>
  ((await place.ask('cores')) as { readonly address: string }[]).map(({ address }) => address);

test('links run over sockets that are their owner’s alone; a restarted core has a new one', async () => {
  for (const address of await addresses())
    expect(address).toMatch(/^ws\+unix:\/.*\/mk\.sockets\/core-\d\.[0-9a-f]{8}\.sock$/);
  expect(statSync(sockets).mode & 0o777).toBe(0o700);
  const files = readdirSync(sockets);
  expect(files.filter((name) => name === 'skb.sock' || /^core-\d\./.test(name))).toHaveLength(4);
  for (const name of files) expect(statSync(join(sockets, name)).mode & 0o777).toBe(0o600);

  expect((await place.mkctl('ping', '0', '2', '--count', '3')).status).toBe(0);
  await place.ask('crash', '1');
  await place.ask('restart', '1');
  await until('core 1 is back', async () => (await place.mkctl('ping', '1', '2', '--count', '1')).status === 0);
  expect(readdirSync(sockets).filter((name) => name.startsWith('core-1.'))).toHaveLength(1);
  expect(readdirSync(sockets)).toHaveLength(4);

  await place.ask('crash', 'skb');
  await place.ask('restart', 'skb');
  await until('all have registered again', async () => (await addresses().catch(() => [])).length === 3);
});

test('a fault resets a link of sockets as well, and it reopens', async () => {
  await place.ask('link', '0', '2', '--reset', '50ms');
  const flood = (await place.ask('bench', 'flood', '0', '2', '--count', '20000')) as Record<string, number>;
  expect(flood).toMatchObject({ sent: 20_000, received: 20_000, lost: 0, doubled: 0, reordered: 0 });
});

test('mkctl down leaves no socket', async () => {
  expect((await place.mkctl('down')).status).toBe(0);
  expect(existsSync(sockets)).toBe(false);
});

test('a folder whose sockets had too long a name is refused in one line before anything starts', async () => {
  const long = join(place.state, 'x'.repeat(80));
  mkdirSync(long);
  const { status, stderr } = await place.start('mk-launch.cjs', ['--cores', '1', '--transport', 'unix'], {}, long)
    .ended;
  expect(status).toBe(2);
  expect(stderr).toMatch(
    /^mk-launch: --transport unix: the path of a Unix socket has at most \d+ bytes, .*; set MK_STATE_DIR to a shorter one, or take --transport tcp\n$/,
  );
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace, freePort, type Outcome, type ReadyMessage, until } from './running-cluster.ts';

const place = new ClusterPlace();
let ready: ReadyMessage;

beforeAll(async () => {
  ({ ready } = await place.boot('--cores', '3'));
});
afterAll(() => place.cleanUp());

/** Starts a core by hand, as a stranger would. */
function stranger(changes: object): Promise<Outcome> {
  const skb = ready.processes.find(({ name }) => name === 'skb')!.address;
  const settings = {
    cluster: 'mk',
    secret: place.record()!.secret,
    skb,
    core: 7,
    listenHost: '127.0.0.1',
    listenPort: 0,
    logLevel: 'info',
    detached: true,
    ...changes,
  };
  return place.start('core.cjs', [], { MK_CORE: JSON.stringify(settings) }).ended;
}

async function clusterIsUnharmed(): Promise<void> {
  expect(await place.ask('bench', 'round', '--count', '1')).toMatchObject({ cores: 3 });
}

test('a wrong secret is refused', async () => {
  const { status, stderr } = await stranger({ secret: '00'.repeat(32) });
  expect(status).toBe(1);
  expect(stderr).toContain('WRONG_SECRET');
  await clusterIsUnharmed();
});

test('another cluster is refused', async () => {
  const { status, stderr } = await stranger({ cluster: 'other' });
  expect(status).toBe(1);
  expect(stderr).toContain('WRONG_CLUSTER');
  await clusterIsUnharmed();
});

test('another protocol version is refused', async () => {
  const { status, stderr } = await stranger({ version: 999 });
  expect(status).toBe(1);
  expect(stderr).toContain('WRONG_VERSION');
  await clusterIsUnharmed();
});

test('a second core that claims a live id is refused', async () => {
  const { status, stderr } = await stranger({ core: 1 });
  expect(status).toBe(1);
  expect(stderr).toContain('CORE_ID_TAKEN');
  await clusterIsUnharmed();
});

test('a wrong control token is refused', async () => {
  const [core] = ready.processes.filter(({ name }) => name === 'core-0');
  const answer = await fetch(`http://${core!.address}/control`, {
    method: 'POST',
    headers: { authorization: 'Bearer no' },
    body: '{"verb":"shutdown"}',
  });
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({ ok: false, error: 'WRONG_SECRET' });
  await clusterIsUnharmed();
});

test('mkctl reaches a cluster by the SKB’s address and the secret alone', async () => {
  const skb = ready.processes.find(({ name }) => name === 'skb')!.address;
  const direct = (...args: string[]): Promise<Outcome> =>
    place.start('mkctl.cjs', [...args, '--skb', skb], { MK_SECRET: place.record()!.secret }).ended;
  expect((await direct('ping', '0', '2')).status).toBe(0);
  expect((await direct('link', '0', '2', '--delay', '5ms', '--for', '200ms')).status).toBe(0);
  const crash = await direct('crash', '0');
  expect(crash.status).toBe(1);
  expect(crash.stderr).toContain('docker compose');
  const wrong = await place.start('mkctl.cjs', ['ps', '--skb', skb], { MK_SECRET: '11'.repeat(32) }).ended;
  expect(wrong.status).not.toBe(0);
  expect(wrong.stderr).toContain('WRONG_SECRET');
});

test('a core waits for an SKB that is not there yet', async () => {
  const port = await freePort();
  const secret = place.record()!.secret;
  const common = { cluster: 'late', secret, listenHost: '127.0.0.1', logLevel: 'off', detached: true };
  const core = place.start('core.cjs', [], {
    MK_CORE: JSON.stringify({ ...common, listenPort: 0, skb: `127.0.0.1:${port}`, core: null }),
  });
  await until('the core runs', () => place.processes().includes(core.pid));
  const skb = place.start('skb.cjs', [], {
    MK_SKB: JSON.stringify({ ...common, listenPort: port, expectedCores: 1, maxCores: 4 }),
  });
  await until('the core has joined', async () => {
    const health = await fetch(`http://127.0.0.1:${port}/healthz`).then(
      (answer) => answer.json(),
      () => null,
    );
    return (health as { members?: number } | null)?.members === 1;
  });
  core.child.kill('SIGTERM');
  skb.child.kill('SIGTERM');
  expect([(await core.ended).status, (await skb.ended).status]).toEqual([0, 0]);
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace, type ReadyMessage, type Running, until } from './running-cluster.ts';

/*
 * Views on real processes: a killed core, a stopped one that wakes, restarts and joins. One cluster; every test leaves
 * it whole. The lease is long enough for a host on which everybody waits seconds for a CPU.
 */
const CORES = 5;
const LEASE_S = 9;
const TICKER = `export const main = async (mk) => {
  for (let i = 0; ; i += 1) {
    mk.console.log(\`tick \${mk.now()}\`);
    await mk.sleep(50_000_000);
  }
};`;
const place = new ClusterPlace();
let launcher: Running;
let ready: ReadyMessage;

beforeAll(async () => {
  ({ launcher, ready } = await place.boot('--cores', String(CORES), '--lease', `${LEASE_S}s`));
});
afterAll(async () => {
  expect(await place.end(launcher)).toEqual({ status: 0, left: [] });
});

interface Views {
  readonly view: number;
  readonly leader: number;
  readonly members: readonly { readonly core: number; readonly incarnation: number }[];
  readonly history: readonly { readonly view: number; readonly lost: readonly number[] }[];
  readonly cores: readonly { readonly core: number; readonly view: number; readonly fenced: boolean }[];
}

/** Resolves when exactly these cores are in one view that all of them have installed and act in. */
function viewOf(...cores: number[]): Promise<Views> {
  return until(`a view of ${cores.join(' ')}`, async () => {
    const outcome = await place.mkctl('view', '--json');
    if (outcome.status !== 0) return null;
    const views = JSON.parse(outcome.stdout) as Views;
    const agreed = views.cores.filter(({ view, fenced }) => view === views.view && !fenced).map(({ core }) => core);
    const members = views.members.map(({ core }) => core);
    return [agreed, members].every((list) => list.join() === cores.join()) ? views : null;
  });
}

/** The audit's findings about living cores. */
async function violations(): Promise<readonly unknown[]> {
  const { stdout } = await place.mkctl('audit', '--json');
  return (JSON.parse(stdout) as { violations: readonly unknown[] }).violations;
}

/** Makes something that each core owns and others hold. */
async function sharedCapabilities(): Promise<void> {
  const { status, stderr } = await place.mkctl('churn', '--seconds', '1', '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

function pidOf(core: number): number {
  return ready.processes.find(({ name }) => name === `core-${core}`)!.pid;
}

test('boot is one view of all', async () => {
  const { leader, members } = await viewOf(0, 1, 2, 3, 4);
  expect({ leader, members: members.length }).toEqual({ leader: 0, members: CORES });
});

test('the leader is killed: a view without it, what it owned is owned again, audits are clean, operations go on', async () => {
  await sharedCapabilities();
  process.kill(pidOf(0), 'SIGKILL');
  const { history } = await viewOf(1, 2, 3, 4);
  expect(history.some(({ lost }) => lost.join() === '0')).toBe(true);
  expect(await place.ask('bench', 'round', '--from', '2', '--phases', '2', '--count', '1')).toMatchObject({
    cores: CORES - 1,
  });
  expect(await violations()).toEqual([]);
  expect((await place.mkctl('churn', '--seconds', '1')).status).toBe(0);
});

test('its next incarnation is a view change, and so are two cores more', async () => {
  expect((await place.mkctl('restart', '0')).status).toBe(0);
  const { members } = await viewOf(0, 1, 2, 3, 4);
  expect(members[0]!.incarnation).toBeGreaterThan(1);
  expect(await place.ask('add', '--cores', '2')).toMatchObject({ added: [5, 6] });
  await viewOf(0, 1, 2, 3, 4, 5, 6);
  expect(await place.ask('bench', 'round', '--count', '1')).toMatchObject({ cores: CORES + 2 });
  expect(await violations()).toEqual([]);
  await place.ask('crash', '5,6');
  await viewOf(0, 1, 2, 3, 4);
});

test('a stopped core is dropped, wakes without a lease, does nothing more and ends', async () => {
  await sharedCapabilities();
  const ticker = join(place.state, 'ticker.ts');
  writeFileSync(ticker, TICKER);
  const ticking = place.start('mkctl.cjs', ['run', ticker, '--on', '3']);
  await until('it ticks', () => ticking.stdout.includes('tick'));
  process.kill(pidOf(3), 'SIGSTOP');
  const held = place.mkctl('bench', 'round', '--phases', '2', '--count', '1');
  const { view } = await viewOf(0, 1, 2, 4);
  // What was under way at the stop has ended, in success or by name.
  const { status, stderr } = await held;
  expect(`${status} ${stderr}`).toMatch(/^0 |^1 .*(OPERATION_TIMEOUT|PEER_GONE|VIEW_STALE|MEMBERS_CHANGED)/s);
  expect(await place.ask('bench', 'round', '--phases', '2', '--count', '1')).toMatchObject({ cores: CORES - 1 });
  process.kill(pidOf(3), 'SIGCONT');
  await until('the woken core has ended', async () => {
    const { state, how } = (await place.ask<{ name: string; state: string; how: string }[]>('ps')).find(
      ({ name }) => name === 'core-3',
    )!;
    // The SKB may tell it before the others do.
    return state === 'ended' && /PEER_GONE: .*this incarnation/.test(how);
  });
  await ticking.ended;
  // A line printed before the stop may be written after it; the next comes more than a lease later.
  const ticks = [...ticking.stdout.matchAll(/tick (\d+)/g)].map(([, ns]) => Number(ns));
  expect(ticks.length).toBeGreaterThan(0);
  for (const [at, tick] of ticks.slice(1).entries()) expect((tick - ticks[at]!) / 1e9).toBeLessThan(LEASE_S);
  expect((await viewOf(0, 1, 2, 4)).view).toBe(view);
  expect(await violations()).toEqual([]);
  expect((await place.mkctl('restart', '3')).status).toBe(0);
  await viewOf(0, 1, 2, 3, 4);
});

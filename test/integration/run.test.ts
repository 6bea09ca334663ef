import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Placement } from '@mk/launcher/ctl/placement';
import { ClusterPlace, type Running, until } from './running-cluster.ts';

/* Programs on cores chosen by the SKB, in two regions of the earth: 38 ms lie between cores 0–3 and 4–7. */
const CABLE_NS = 38e6;
const place = new ClusterPlace();
let launcher: Running;

interface Run<T> {
  readonly ok: boolean;
  readonly cores: readonly number[];
  readonly placement: Placement | null;
  readonly result: T;
}
interface Times {
  readonly count: number;
  readonly min_ns: number;
}

beforeAll(async () => {
  ({ launcher } = await place.boot('--cores', '8', '--machine', 'wan'));
});
afterAll(async () => {
  expect((await place.end(launcher)).status).toBe(0);
});

test('a ring near one another stays in a region, spread it crosses the cable', async () => {
  const near = await place.ask<Run<Times>>('run', 'ring', '--cores', '4', '--near', '--rounds', '5');
  expect(near).toMatchObject({ ok: true, placement: { kind: 'near' }, result: { count: 5 } });
  expect(new Set(near.cores.map((core) => core >> 2)).size).toBe(1);
  const spread = await place.ask<Run<Times>>('run', 'ring', '--cores', '4', '--spread', '--rounds', '5');
  expect(spread.cores.map((core) => core >> 2)).toEqual([0, 0, 1, 1]);
  // However busy the host: two of the hops of each round are the cable.
  expect(spread.result.min_ns).toBeGreaterThan(2 * CABLE_NS);
});

test('what it prints: where, why, and the time of a round', async () => {
  const { status, stdout } = await place.mkctl('run', 'ring', '--cores', '2', '--rounds', '3');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^the SKB chose cores \d \d in package [01] \(near: .*\).*\nring of 2: 3 rounds, min .*\n$/);
});

test('a slow link is avoided', async () => {
  await place.ask('link', '0', '1-3', '--delay', '90ms');
  const chosen = await until('core 0 is not chosen', async () => {
    const { cores } = await place.ask<Placement>('place', '2', '--near');
    return cores.includes(0) ? null : cores;
  });
  expect(chosen).toHaveLength(2);
  await place.ask('heal');
});

test('churn on the cores that were chosen, checked by its oracle, and nothing of it stays', async () => {
  const before = await capabilities();
  const run = await place.ask<Run<{ workers: number; rounds: number }>>(
    'run',
    'churn',
    '--cores',
    '4',
    '--near',
    '--operations',
    '5',
  );
  expect(run).toMatchObject({ ok: true, result: { workers: 4, rounds: 20, wrong: [] } });
  expect(await capabilities()).toEqual(before);
});

/** How many capabilities each core holds. */
async function capabilities(): Promise<readonly { core: number; held: number }[]> {
  const rows = await place.ask<{ core: number; capabilities: unknown[] }[]>('caps');
  return rows.map(({ core, capabilities: held }) => ({ core, held: held.length }));
}

test.each([
  ['bank', ['--rounds', '4'], { money: 800, restarted: 0 }],
  ['kv', ['--rounds', '1'], { acknowledged: 2, attempted: 2, total: 2 }],
  ['map-reduce', ['--count', '4'], { words: 800, chunks: 4, cores: 2 }],
] as const)('%s keeps its promises on processes', async (program, options, result) => {
  expect(await place.ask<Run<unknown>>('run', program, '--on', '0,1', ...options)).toMatchObject({ ok: true, result });
});

test('a shell does what it is told; the programs that ship are listed', async () => {
  const done = await place.mkctl('run', 'shell', '--on', '3', '--', 'cores', 'ping 2', 'nope');
  expect(done.status).toBe(0);
  expect(done.stdout).toMatch(/^on cores 3\n3\ncore 2 answers after .*\n$/);
  expect(done.stderr).toContain('no command nope');
  expect((await place.mkctl('run', '--list')).stdout).toMatch(/^hello .*\n(.*\n)*bank .*\n/);
});

test('on cores that are named, in exactly that way', async () => {
  const pairs = await place.ask<Run<{ pairs: { from: number; to: number }[] }>>(
    'run',
    'pingpong',
    '--on',
    '1,3-4',
    '--rounds',
    '2',
  );
  expect(pairs).toMatchObject({ ok: true, cores: [1, 3, 4], placement: null });
  expect(pairs.result.pairs.map(({ from, to }) => [from, to])).toEqual([
    [1, 3],
    [1, 4],
    [3, 4],
  ]);
  expect((await place.mkctl('run', 'flood', '--on', '0,1', '--count', '500')).stdout).toMatch(
    /500 of 500 messages .* 0 lost/,
  );
});

test('mistakes end in one line that says what to do', async () => {
  const mistakes = [
    [['rign'], 2, 'did you mean ring'],
    [[], 2, 'mkctl run --list'],
    [['ring', '--near'], 2, '--near needs --cores N'],
    [['ring', '--on', '0,1', '--cores', '2'], 2, 'give one or the other'],
    [['ring', '--cores', '2', '--near', '--spread'], 2, 'exclude each other'],
    [['ring', '--seconds', '3'], 2, 'it takes --rounds, --bytes'],
    [['ring', '--on', '3'], 2, 'at least 2 cores'],
    [['ring', '--cores', '9'], 1, 'there are not 9 running cores'],
    [['ring', '--on', '0,77'], 1, 'core 77 is not up'],
  ] as const;
  for (const [args, status, words] of mistakes) {
    const result = await place.mkctl('run', ...args);
    expect({ args, ...result }).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(words) });
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
  }
});

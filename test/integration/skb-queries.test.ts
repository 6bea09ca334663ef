import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { SkbClient } from '@mk/libmk/io/skb-client';
import type { QueryError, QueryOptions } from '@mk/monitor-proto/knowledge/query';
import { KnowledgePlace } from './knowledge-place.ts';
import { until } from './running-cluster.ts';

/* Queries over real links, by libmk and by mkctl, on a cluster of six cores with a machine file. */
const CORES = 6;
const cluster = new KnowledgePlace();
let skb: SkbClient;

beforeAll(async () => {
  await cluster.boot(CORES, '--machine', 'amd-4x4', '--time-scale', '0');
  skb = await cluster.client();
});
afterAll(async () => {
  expect(await cluster.end()).toEqual({ status: 0, left: [] });
});

/** One attribute of every solution. */
async function all(goal: string, name: string): Promise<unknown[]> {
  return (await skb.queryAll(goal, { timeLimitMs: 20_000 })).solutions.map(({ bindings }) => bindings[name]);
}

async function errorOf(goal: string, options: QueryOptions = {}): Promise<QueryError> {
  return skb.queryAll(goal, options).then(
    () => Promise.reject(new Error(`${goal} was answered`)),
    (error: QueryError) => error,
  );
}

test('facts of the machine, of the members and of the host', async () => {
  // The existing cores of a machine of sixteen.
  expect(await all('cpu_thread(C, 1, _, _)', 'C')).toEqual([4, 5]);
  expect(await all('running_core(C)', 'C')).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await all('nr_running_cores(N)', 'N')).toEqual([CORES]);
  expect(await all('incarnation(3, I)', 'I')).toEqual([1]);
  expect(await all('host(_, P, _, _)', 'P')).toEqual([process.platform]);
  expect((await all('node_distance(0, N, _)', 'N')).length).toBeGreaterThan(1);
});

test('online measurement: n(n − 1) round trips', async () => {
  await until(
    'all pairs are facts',
    async () => (await all('aggregate_all(count, message_rtt(_, _, _, _, _, _), N)', 'N'))[0] === CORES * (CORES - 1),
  );
});

test('a link that changes is a new fact', async () => {
  await cluster.place.ask('link', '0', '3', '--delay', '30ms');
  await until('the fact follows', async () => Number((await all('message_rtt(0, 3, _, _, M, _)', 'M'))[0]) >= 59.9e6);
  await cluster.place.ask('heal');
});

test('solutions stream: the first is there while the search still runs, and leaving the loop ends it', async () => {
  const seen: unknown[] = [];
  for await (const { bindings } of skb.query('between(1, inf, X)', { timeLimitMs: 30_000, maxSolutions: 100_000 })) {
    seen.push(bindings['X']);
    if (seen.length === 3) break;
  }
  expect(seen).toEqual([1, 2, 3]);
  expect(await all('X = 1', 'X')).toEqual([1]);
});

test('limits: solutions, time, inferences; large answers in pieces', async () => {
  const { solutions, more } = await skb.queryAll('between(1, inf, X)', { maxSolutions: 7 });
  expect({ count: solutions.length, more }).toEqual({ count: 7, more: true });
  expect((await errorOf('repeat, fail', { timeLimitMs: 200 })).name).toBe('QueryTimeLimit');
  expect((await errorOf('repeat, fail', { inferenceLimit: 100_000 })).name).toBe('QueryInferenceLimit');
  const [text] = await all('numlist(1, 15000, L), atomic_list_concat(L, X)', 'X');
  expect(String(text)).toHaveLength(63_894);
});

test('errors are named, with the place where it is known', async () => {
  expect(await errorOf('foo(')).toMatchObject({ name: 'QuerySyntaxError', line: 1, column: 5 });
  expect((await errorOf('no_such_thing(X)')).name).toBe('QueryUnknownPredicate');
  expect((await errorOf("open('/etc/passwd', read, _)")).name).toBe('QueryForbidden');
});

test('placement: near stays in a package, far does not, and both are cores that run', async () => {
  const near = await until(
    'a measurement in which no pair of a package stands out, though the host may be busy',
    async () => {
      const [cores] = await all('place(near, 4, Cores)', 'Cores');
      if (Math.max(...(cores as number[])) < 4) return cores;
      expect((await cluster.place.mkctl('measure')).status).toBe(0);
      return null;
    },
  );
  const far = (await all('place(far, 2, Cores)', 'Cores'))[0] as number[];
  expect(near).toEqual([0, 1, 2, 3]);
  expect(new Set(far.map((core) => Math.floor(core / 4))).size).toBe(2);
});

test('mkctl: solutions a line, errors in one line, rules from a file, placement, a tree', async () => {
  const { place } = cluster;
  const asked = await place.mkctl('skb', 'cpu_thread(C, P, _, _), C < 2.');
  expect(asked).toMatchObject({ status: 0, stdout: '{"C":0,"P":0}\n{"C":1,"P":0}\n', stderr: '' });
  expect(await place.mkctl('skb', 'fail')).toMatchObject({ status: 1, stdout: '' });
  const wrong = await place.mkctl('skb', 'foo(');
  expect(wrong).toMatchObject({ status: 1, stdout: '' });
  expect(wrong.stderr).toBe('mkctl: QuerySyntaxError: end_of_clause at line 1, column 5\n');
  const file = join(place.state, 'near.pl');
  writeFileSync(file, 'neighbours(P, Cs) :- findall(C, cpu_thread(C, P, _, _), Cs).\n');
  expect((await place.mkctl('skb', '--file', file)).status).toBe(0);
  expect((await place.mkctl('skb', 'neighbours(0, Cs)')).stdout).toBe('{"Cs":[0,1,2,3]}\n');
  expect((await place.mkctl('place', '4', '--near')).stdout).toBe('0 1 2 3\n');
  expect((await place.mkctl('place', '77')).status).toBe(1);
  expect((await place.mkctl('skb', '--tree', '0')).stdout).toMatch(/^core 0\n/);
  expect((await place.mkctl('skb', '--tree', '0', '--form', 'svg')).stdout).toMatch(/^<svg /);
  expect((await place.mkctl('skb')).status).toBe(2);
});

test('mkctl: records', async () => {
  const { place } = cluster;
  expect((await place.mkctl('oct', 'set', 'shelf { height: 3 }')).stdout).toBe('shelf { height: 3 }\n');
  expect(await place.ask('oct', 'get', '_ { height: > 2 }')).toEqual({ name: 'shelf', attributes: { height: 3 } });
  expect(await place.ask('oct', 'names', 'shelf')).toEqual(['shelf']);
  expect((await place.mkctl('oct', 'set', 'shelf { height: 4, height: == 9 }')).stderr).toContain(
    'CONSTRAINT_MISMATCH',
  );
  const watching = place.start('mkctl.cjs', ['oct', 'watch', 'shelf', '--for', '20s', '--json']);
  await until('the watch tells', async () => {
    await place.mkctl('oct', 'set', 'shelf { height: 5 }');
    return watching.stdout.includes('"kind":"set","name":"shelf","attributes":{"height":5}');
  });
  watching.child.kill('SIGINT');
  expect((await watching.ended).status).toBe(0);
  const barriers = await Promise.all([1, 2, 3].map(() => place.mkctl('oct', 'barrier', 'gate', '--count', '3')));
  expect(barriers.map(({ status }) => status)).toEqual([0, 0, 0]);
  expect((await place.mkctl('oct', 'lock', 'door', '--for', '10ms')).stdout).toBe(
    'held; ticket 1, which is its fencing token\n',
  );
  expect((await place.mkctl('oct', 'del', 'shelf')).status).toBe(0);
  expect((await place.mkctl('oct', 'get', 'shelf')).status).toBe(1);
});

test('200 hostile queries end with named errors; the registry and Octopus answer meanwhile', async () => {
  const hostile = [
    'repeat, fail',
    'length(L, N), N > 100000000',
    'numlist(1, 5000000, L), msort(L, M), fail',
    'halt',
    "read_file_to_string('/etc/passwd', S, [])",
    "shell('rm -rf /')",
    'assertz(a(1))',
    'X is 7 ** (7 ** 8), Y is X * X',
    'r(X) = r(Y), G = repeat, G, fail',
    `${'f('.repeat(500)}x${')'.repeat(500)}`,
  ];
  const names = new Set<string>();
  let answered = 0;
  let slowest = 0;
  const meanwhile = (async () => {
    while (answered < 200) {
      const startedAt = performance.now();
      await skb.octopus.set(`alive { n: ${answered} }`);
      slowest = Math.max(slowest, performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      names.add((await errorOf(hostile[i % hostile.length]!, { timeLimitMs: 60 })).name);
      answered += 1;
    }),
  );
  await meanwhile;
  for (const name of names) expect(name).toMatch(/^(Query|Engine)[A-Z]/);
  expect(slowest).toBeLessThan(60_000); // the hostile goals would delay it for ever
  expect(await all('X = still_here', 'X')).toEqual(['still_here']);
  expect((await cluster.place.ask<unknown[]>('cores')).length).toBe(CORES);
});

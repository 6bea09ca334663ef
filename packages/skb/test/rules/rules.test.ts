/** The shipped rules on shipped machines, and on random ones beside the TypeScript planner. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readMachine } from './machine-for-tests.ts';
import type { WorkerEngine } from '../../src/engine/io/worker-engine.ts';
import type { JsonTerm } from '@mk/monitor-proto/knowledge/query';
import { allRttUpdate, membershipUpdate, rttUpdate } from '../../src/facts/cluster-facts.ts';
import { createPrng } from '@mk/monitor-proto/prng';
import { ANY } from '../../src/facts/fact.ts';
import { machineFacts } from '../../src/facts/machine-facts.ts';
import { hostFacts } from '../../src/facts/io/host-facts.ts';
import { startEngine } from '../engine/engine-for-tests.ts';

let engine: WorkerEngine;

beforeAll(async () => {
  engine = startEngine();
  await engine.updateFacts({ add: [...machineFacts(readMachine('amd-8x4')), ...hostFacts()] });
});

afterAll(() => engine.close());

async function all(goal: string): Promise<readonly { readonly [name: string]: JsonTerm }[]> {
  const { solutions } = await engine.query(goal, { timeLimitMs: 20_000 });
  return solutions.map((solution) => solution.bindings);
}

/** The value of a goal's only variable in its only answer. */
async function one(goal: string): Promise<JsonTerm | undefined> {
  const answers = await all(goal);
  expect(answers).toHaveLength(1);
  return Object.values(answers[0] ?? {}).at(-1);
}

describe('facts of amd-8x4', () => {
  test('cores, memory and distances have Barrelfish’s names and orders', async () => {
    expect(await one('aggregate_all(count, cpu_thread(_, _, _, _), N)')).toBe(32);
    expect(await all('cpu_thread(13, Package, Place, Thread)')).toEqual([{ Package: 3, Place: 1, Thread: 0 }]);
    expect(await all('corename(13, Arch, HwId)')).toEqual([{ Arch: 'node', HwId: { functor: 'apic', args: [13] } }]);
    expect(
      await all(
        'cpu_affinity(13, _, Node), memory_affinity(Base, Bytes, Node), memory_region(Base, Bits, Bytes, ram, Node), Bits > 0',
      ),
    ).toHaveLength(1);
    expect(await one('node_distance(2, 2, D)')).toBe(10);
    expect(await one('aggregate_all(count, package_hops(_, _, _), N)')).toBe(64);
    expect(await all('host(_, Platform, _, _)')).toEqual([{ Platform: process.platform }]);
  });
});

describe('topology', () => {
  test('cores by package and by distance', async () => {
    expect(await one('cores_of_package(2, Cores)')).toEqual([8, 9, 10, 11]);
    expect(await one('packages(Packages)')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await one('relation(0, 0, R)')).toBe('same_core');
    const near = (await one('cores_by_distance(0, Cores)')) as readonly number[];
    expect(near).toHaveLength(31);
    expect([...near.slice(0, 3)].sort()).toEqual([1, 2, 3]);
    const hops = await one('last_far(0, Hops)').catch(() => undefined);
    expect(hops).toBeUndefined();
  });

  test('members and measurements count before the description', async () => {
    await engine.updateFacts(
      membershipUpdate(
        new Map([
          [0, 5],
          [1, 5],
          [4, 6],
        ]),
      ),
    );
    expect(await one('cores(Cores)')).toEqual([0, 1, 4]);
    expect(await one('nr_running_cores(N)')).toBe(3);
    await engine.updateFacts(rttUpdate([{ from: 0, to: 1, average: 9e6, variance: 1.5, min: 8e6, max: 2e7 }]));
    expect(await one('cores_by_distance(0, Cores)')).toEqual([4, 1]);
    expect(await one('latency_ns(0, 1, Ns)')).toBe(4e6);
    await engine.updateFacts({
      remove: [
        { name: 'incarnation', args: [ANY, ANY] },
        { name: 'message_rtt', args: [0, 1, ANY, ANY, ANY, ANY] },
      ],
    });
    expect(await one('cores(Cores), length(Cores, N)')).toBe(32);
  });
});

describe('affinity', () => {
  test('the nearest memory is the core’s own, and a larger need goes farther', async () => {
    expect(await all('nearest_memory(9, Node, _, _)')).toEqual([{ Node: 2 }]);
    expect(
      await all('memory_by_distance(9, Regions), length(Regions, N), Regions = [memory(Distance, Node, _, _)|_]'),
    ).toMatchObject([{ N: 8, Distance: 10, Node: 2 }]);
    expect(
      await all('local_memory(9, Base, Bytes), Address is Base + Bytes - 1, cores_near_address(Address, Cores)'),
    ).toMatchObject([{ Cores: [8, 9, 10, 11] }]);
    expect(await all('nearest_memory(9, 1000000000000000, _, _, _)')).toEqual([]);
  });
});

describe('routing', () => {
  test('direct, around the ring the shorter way, and by a fat tree', async () => {
    expect(await one('route(direct, 3, 17, Path)')).toEqual([3, 17]);
    expect(await one('route(ring, 30, 2, Path)')).toEqual([30, 31, 0, 1, 2]);
    expect(await one('route(ring, 2, 30, Path)')).toEqual([2, 1, 0, 31, 30]);
    expect(await one('next_hop(ring, 0, 31, Next)')).toBe(31);
    expect(await one('route(fat_tree(4), 5, 7, Path)')).toEqual([5, 4, 7]);
    expect(await one('route(fat_tree(4), 5, 30, Path)')).toEqual([5, 4, 0, 16, 28, 30]);
    expect(await one('route(ring, 4, 4, Path)')).toEqual([4]);
    expect(await all('route(direct, 3, 99, Path)')).toEqual([]);
    expect(
      await one(
        'aggregate_all(max(L), (running_core(A), running_core(B), route(fat_tree(4), A, B, P), length(P, L)), Most)',
      ),
    ).toBe(6);
  });
});

describe('placement', () => {
  const packageOf = (core: number): number => core >> 2;
  const place = async (goal: string): Promise<readonly number[]> => (await one(goal)) as readonly number[];

  test('near fills packages that lie together', async () => {
    expect(new Set((await place('place(near, 4, Cores)')).map(packageOf)).size).toBe(1);
    expect(new Set((await place('place(near, 8, Cores)')).map(packageOf)).size).toBe(2);
    const two = [...new Set((await place('place(near, 8, Cores)')).map(packageOf))];
    expect(await one(`package_hops(${two[0]}, ${two[1]}, Hops)`)).toBe(1);
  });

  test('far takes a package each, then doubles evenly', async () => {
    for (const k of [1, 4, 8]) expect(new Set((await place(`place(far, ${k}, Cores)`)).map(packageOf)).size).toBe(k);
    const counts = new Map<number, number>();
    for (const core of await place('place(far, 12, Cores)'))
      counts.set(packageOf(core), (counts.get(packageOf(core)) ?? 0) + 1);
    expect([...counts.values()].sort()).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
  });

  test('only from what is available; more than that is not to be had', async () => {
    expect(await place('place(near, 2, [3, 30, 31], Cores)')).toEqual([30, 31]);
    expect(await all('place(near, 4, [3, 30, 31], Cores)')).toEqual([]);
    expect(await place('place(near, 0, Cores)')).toEqual([]);
  });

  test('near is the least sum over all choices of a small machine', async () => {
    const cores = [0, 1, 4, 5, 12, 28, 29];
    const cost = async (chosen: readonly number[]): Promise<number> =>
      Number(
        await one(
          `nearness(Table), findall(Ns, (member(A, [${chosen}]), member(B, [${chosen}]), A < B, near_ns(Table, A, B, Ns)), All), sum_list(All, Sum)`,
        ),
      );
    const chosen = await place(`place(near, 3, [${cores}], Cores)`);
    const sums = await Promise.all(triples(cores).map(cost));
    expect(await cost(chosen)).toBeCloseTo(Math.min(...sums));
  });

  test('near does not follow the noise of measurements, but a link that is really slow (50 seeds)', async () => {
    const cores = [0, 1, 2, 3, 4, 5];
    const measured = (seed: number, slow: (a: number, b: number) => number) => {
      const prng = createPrng(`nearness/${seed}`);
      const rows = cores.flatMap((from) =>
        cores
          .filter((to) => to !== from)
          .map((to) => {
            // 0.2 ms for all, as on links without a modelled delay; now and then a ping met a busy CPU.
            const min = Math.round(
              200_000 +
                100_000 * prng.nextFloat() +
                (prng.nextFloat() < 0.1 ? 2e6 * prng.nextFloat() : 0) +
                slow(from, to),
            );
            return { from, to, average: 2 * min, variance: 0, min, max: 4 * min };
          }),
      );
      return engine.updateFacts(allRttUpdate(rows));
    };
    for (let seed = 0; seed < 50; seed++) {
      await measured(seed, () => 0);
      expect({ seed, cores: await place(`place(near, 4, [${cores}], Cores)`) }).toEqual({ seed, cores: [0, 1, 2, 3] });
      await measured(seed, (a, b) => (Math.min(a, b) === 0 && Math.max(a, b) < 4 ? 60e6 : 0));
      expect({ seed, cores: await place(`place(near, 2, [${cores}], Cores)`) }).toEqual({ seed, cores: [4, 5] });
    }
    await engine.updateFacts(allRttUpdate([]));
  });

  test('a placement says where it lies and how far it reaches', async () => {
    expect(await all('placed([4, 5, 7], Packages, Ns)')).toEqual([{ Packages: [1], Ns: 0 }]);
    const trip = (from: number, to: number, min: number) => ({ from, to, average: min, variance: 0, min, max: min });
    await engine.updateFacts(allRttUpdate([trip(4, 5, 4e6), trip(4, 7, 4e6), trip(5, 7, 4e6), trip(0, 31, 8e6)]));
    expect(await all('placed([4, 5, 7], Packages, Ns)')).toEqual([{ Packages: [1], Ns: 2e6 }]);
    expect(await all('placed([0, 31], Packages, Ns)')).toEqual([{ Packages: [0, 7], Ns: 4e6 }]);
    expect(await all('placed([3], Packages, Ns)')).toEqual([{ Packages: [0], Ns: 0 }]);
    await engine.updateFacts(allRttUpdate([]));
  });

  test('drivers by their device, servers by their clients', async () => {
    await engine.updateFacts({
      add: [
        { name: 'device', args: ['nic0', 5] },
        { name: 'driver_at', args: ['disk', 20] },
      ],
    });
    expect(await one('driver_core(nic0, Core)')).toBe(21);
    expect(await all('server_core([8, 9, 11], Core, _)')).toEqual([{ Core: 8 }]);
  });
});

function triples(items: readonly number[]): number[][] {
  return items.flatMap((a, i) => items.slice(i + 1).flatMap((b, j) => items.slice(i + j + 2).map((c) => [a, b, c])));
}

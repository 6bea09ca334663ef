/*
 * Links heal after no three of five cores heard one another: no member of the view that stood so long need be dropped,
 * although a leader hears of the healed links one by one. Nor need a candidate stand whose leader is heard again
 * between the votes and the promises.
 */
import { expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import type { Edge } from './digraphs.ts';
import { ViewWorld } from './view-world.ts';

const SEEDS = 20;

function both(...pairs: readonly Edge[]): readonly Edge[] {
  return pairs.flatMap(([a, b]): readonly Edge[] => [
    [a, b],
    [b, a],
  ]);
}

const KINDS: Readonly<Record<string, readonly Edge[]>> = {
  ring: both([0, 2], [0, 3], [1, 3], [1, 4], [2, 4]),
  'a ring in another order': both([0, 1], [0, 4], [2, 1], [2, 3], [3, 4]),
  star: both([1, 2], [1, 3], [1, 4], [2, 3], [2, 4], [3, 4]),
  'a star whose middle does not lead': both([0, 1], [0, 3], [0, 4], [1, 3], [1, 4], [3, 4]),
  nothing: both([0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [1, 3], [1, 4], [2, 3], [2, 4], [3, 4]),
};

test.each(Object.keys(KINDS))('%s', (kind) => {
  const lost: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const world = new ViewWorld(5, createPrng(seed));
    world.run(600);
    for (const [from, to] of KINDS[kind] ?? []) world.cut(from, to);
    world.run(6000 + 37 * seed);
    const view = world.agreed.get(Math.max(...world.agreed.keys()))!;
    world.heal();
    for (let waited = 0; waited < 40_000 && !world.converged && world.violations.length === 0; waited += 200)
      world.run(200);
    expect([world.converged, world.violations]).toEqual([true, []]);
    const dropped = view.members.filter(({ core, incarnation }) => world.cores[core]!.self.incarnation > incarnation);
    if (dropped.length > 0)
      lost.push(`seed ${seed}: ${dropped.map(({ core }) => core).join(', ')} of view ${view.number}`);
  }
  expect(lost).toEqual([]);
});

test('a leader that stood still for about a lease is heard again while the others elect one', () => {
  const lost: string[] = [];
  for (let seed = 4; seed <= 200; seed += 4) {
    const world = new ViewWorld(5, createPrng(seed));
    world.run(2000 + 20 * (seed % 50));
    const stillMs = 1000 + 20 * (seed % 60);
    world.hang(0, stillMs);
    world.run(stillMs + 8000);
    expect([world.converged, world.violations]).toEqual([true, []]);
    const dropped = world.cores.filter(({ self }) => self.incarnation > 1);
    if (dropped.length > 0) lost.push(`seed ${seed}: ${dropped.map(({ self }) => self.core).join(', ')}`);
  }
  expect(lost).toEqual([]);
});

test('a leader dies, and all but one have proof: that one is behind for a lease, and stays', () => {
  const lost: string[] = [];
  for (let seed = 36; seed <= 65; seed += 1) {
    const world = new ViewWorld(5, createPrng(seed));
    world.run(4000 + 20 * (seed % 50));
    const { self } = world.cores[0]!;
    world.crash(0);
    for (const { agreement, rate } of world.cores.slice(1, 4))
      agreement.proofOfDeath(self, Math.floor(world.now * rate));
    world.run(6000);
    expect([world.converged, world.violations]).toEqual([true, []]);
    if (world.cores[4]!.self.incarnation > 1) lost.push(`seed ${seed}`);
  }
  expect(lost).toEqual([]);
});

import { describe, expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import { CoherenceWorld } from './coherence-world.ts';

/**
 * A run of random accesses, evictions and optionally one crash: everything ends, every invariant holds at every step.
 */
function run(seed: number, crash: boolean): CoherenceWorld {
  const prng = createPrng(seed);
  const cores = 2 + prng.nextInt(4);
  const world = new CoherenceWorld(cores, 1 + prng.nextInt(4), prng);
  let asked = 0;
  let next = 1n;
  const crashAt = crash ? 20 + prng.nextInt(60) : Infinity;
  let dead = -1;
  for (let i = 0; i < 120 && world.broken.length === 0; i += 1) {
    const core = prng.nextInt(cores);
    const page = prng.nextInt(world.pages);
    if (world.nodes[core]!.alive) {
      const what = prng.nextInt(10);
      if (what < 4) world.read(core, page);
      else if (what < 8) world.write(core, page, next++);
      else if (what === 8) world.snapshot(core, page);
      if (what < 9) asked += 1;
      else world.nodes[core]!.cache.evict(page);
      world.check();
    }
    if (i === crashAt) world.crash((dead = prng.nextInt(cores)));
    for (let steps = prng.nextInt(6); steps > 0; steps -= 1) world.step();
    if (dead >= 0 && i === crashAt + 10) world.declareGone(dead);
  }
  if (dead >= 0 && crashAt + 10 >= 120) world.declareGone(dead);
  while (world.broken.length === 0 && world.step());
  if (dead < 0 && world.broken.length === 0) expect(world.done).toBe(asked);
  return world;
}

describe('coherence', () => {
  test('400 seeds: M1 to M5 hold at every step, and every access ends', () => {
    for (let seed = 0; seed < 400; seed += 1) {
      const world = run(seed, false);
      expect([seed, world.broken]).toEqual([seed, []]);
      for (const { directory, cache } of world.nodes)
        expect([seed, directory.leftovers, cache.leftovers]).toEqual([seed, [], []]);
      expect(world.lost).toBe(0);
    }
  });

  test('400 seeds with a crash: what the dead alone had is lost by name, everything else goes on', () => {
    let lost = 0;
    for (let seed = 0; seed < 400; seed += 1) {
      const world = run(seed, true);
      expect([seed, world.broken]).toEqual([seed, []]);
      for (const { alive, directory, cache } of world.nodes)
        if (alive) expect([seed, directory.leftovers, cache.leftovers]).toEqual([seed, [], []]);
      lost += world.lost;
    }
    expect(lost).toBeGreaterThan(0);
  });

  test('increments at the home are never lost', () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const world = new CoherenceWorld(4, 1, createPrng(seed));
      const add = { operation: 'add', offset: 8, operand: 1n, expected: 0n } as const;
      for (let i = 0; i < 40; i += 1) {
        world.atomic(i % 4, 0, add);
        if (i % 5 === 0) world.write((i + 1) % 4, 0, BigInt(i));
        world.step();
      }
      while (world.step());
      world.snapshot(2, 0);
      world.nodes[3]!.cache.snapshot(0, (_, bytes) => {
        expect(new DataView(bytes.buffer).getBigUint64(8, true)).toBe(40n);
        world.done += 1000;
      });
      while (world.step());
      expect(world.broken).toEqual([]);
      expect(world.done).toBeGreaterThan(1000);
    }
  });
});

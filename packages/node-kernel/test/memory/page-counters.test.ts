import { expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import { CoherenceWorld } from './coherence-world.ts';

test('what pages have counted stays counted when their memory is free', () => {
  const world = new CoherenceWorld(2, 2, createPrng(1));
  const settle = (): void => {
    while (world.step()); // until nothing is in flight
  };
  const { directory } = world.nodes[0]!;
  const total = (): number =>
    [directory.past, ...directory.reports().map(({ statistics }) => statistics)].reduce(
      (sum, { reads, writes, transfers }) => sum + reads + writes + transfers,
      0,
    );
  world.read(1, 0);
  settle();
  const before = total();
  expect(before).toBeGreaterThan(0);
  directory.forget([0]);
  settle();
  expect(directory.reports()).toEqual([]);
  expect(total()).toBeGreaterThanOrEqual(before);
});

import { expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import { adopts } from './adopted-views.ts';

const SEEDS = 40;

test('a view that is adopted waits for the leases that leaders have granted since it was proposed', () => {
  const runs = Array.from({ length: SEEDS }, (_, seed) => ({ seed, ...adopts(createPrng, seed) }));
  expect(runs.filter(({ violations }) => violations.length > 0)).toEqual([]);
  expect(runs.filter(({ adopted }) => adopted).length).toBeGreaterThan(0);
});

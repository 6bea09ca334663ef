import { expect, test } from '@jest/globals';
import { scenarioOf } from '@mk/sim/nemesis';
import { runTwice } from '@mk/sim/run-seed';
import { RUN } from './support.ts';

const SEEDS = 500;
const LIMIT_MS = 180_000;

test(`${SEEDS} seeds hold every invariant, and each leaves the same trace twice`, () => {
  const before = process.cpuUsage();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations, inconclusive } = runTwice(scenarioOf(seed), RUN);
    const found = violations.map(({ invariant, text }) => `${invariant}: ${text}`);
    expect({ repeat: `mk-launch sim --seed ${seed}`, inconclusive, found }).toEqual({ repeat: `mk-launch sim --seed ${seed}`, inconclusive: null, found: [] });
  }
  // Time of this process, so that what else the machine does is not counted.
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(LIMIT_MS);
}, 5 * LIMIT_MS);

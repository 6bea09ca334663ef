import { expect, test } from '@jest/globals';
import { scenarioOf } from '@mk/sim/nemesis';
import { runTwice } from '@mk/sim/run-seed';
import { RUN } from './support.ts';

const SEEDS = Number(process.env.MK_GATE_SEEDS ?? 500);
const PATIENCE_MS = 900_000;

test(`${SEEDS} seeds hold every invariant, and each leaves the same trace twice`, () => {
  const before = process.cpuUsage();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations, inconclusive } = runTwice(scenarioOf(seed), RUN);
    const found = violations.map(({ invariant, text }) => `${invariant}: ${text}`);
    expect({ repeat: `mk-launch sim --seed ${seed}`, inconclusive, found }).toEqual({ repeat: `mk-launch sim --seed ${seed}`, inconclusive: null, found: [] });
  }
  // The figure (under 3 minutes) is printed, not judged: a loaded machine is no broken invariant.
  process.stdout.write(`gate: ${SEEDS} seeds twice took ${Math.round(process.cpuUsage(before).user / 1e6)} s of this process's time\n`);
}, PATIENCE_MS);

import { describe, expect, test } from '@jest/globals';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Kernel } from '@mk/node-kernel/kernel';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { programText } from '../../../../scripts/bundle-program.mjs';
import { runChaos } from './program-chaos.ts';

const text = await programText(join(dirname(fileURLToPath(import.meta.url)), 'chaos-program.ts'));
const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
const extra = Number(process.env['MK_SEEDS'] ?? 0);

describe('domains under faults of links and processes', () => {
  test('6 seeds without crashes: P1 to P7, C1 to C5 after every step, and nothing is left', () => {
    const ends: Record<string, number> = {};
    for (const seed of seeds(1, 6 + extra)) {
      const run = runChaos(seed, text, { crashes: false });
      expect({ seed, violations: run.violations }).toEqual({ seed, violations: [] });
      for (const [cause, count] of Object.entries(run.ends)) ends[cause] = (ends[cause] ?? 0) + count;
    }
    expect(Object.keys(ends)).toEqual(expect.arrayContaining(['exited', 'KILLED', 'UNCAUGHT']));
  });

  test('12 seeds with crashes: no domain is left behind on any core', () => {
    for (const seed of seeds(1000, 12 + extra)) {
      const { violations } = runChaos(seed, text, { crashes: true });
      expect({ seed, violations }).toEqual({ seed, violations: [] });
    }
  });

  /** Bugs planted in every kernel, and the invariants that show them. */
  const mutants: Readonly<Record<string, (kernel: Kernel) => void>> = {
    'parts are not told that their home is gone': ({ services: { programs } }) => {
      programs.peerGone = () => undefined;
    },
    'a domain finishes when its parts have been told to stop': ({ services: { programs } }) => {
      const { homes } = programs;
      const { end } = homes;
      homes.end = (home, ending, now) => {
        end.call(homes, home, ending, now);
        for (const core of [...home.parts.keys()]) homes.partStopped(home, core, ending, now);
      };
    },
    'what a dispatcher held stays': ({ services: { capops } }) => {
      capops.deleteCspace = (_root, now, done) => done(now);
    },
  };
  test.each(Object.entries(mutants))('a planted bug is seen: %s', (_name, plant) => {
    const wrap: NonNullable<SimulationOptions['wrap']> = (machine) => {
      if (machine instanceof Kernel) plant(machine);
      return machine;
    };
    const found = seeds(1000, 12).some((seed) => runChaos(seed, text, { crashes: true, wrap }).violations.length > 0);
    const leaks = seeds(1, 3).some((seed) => runChaos(seed, text, { crashes: false, wrap }).violations.length > 0);
    expect(found || leaks).toBe(true);
  });

  test('a seed gives the same trace twice', () => {
    for (const seed of [3, 1003]) {
      const [a, b] = [1, 2].map(() => runChaos(seed, text, { crashes: seed > 1000 }).hash);
      expect(a).toBe(b);
    }
  });
});

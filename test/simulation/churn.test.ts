import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { runChurn } from '@mk/sim/workloads/churn';
import { CapabilityScript } from '../support/capability-script.ts';
import { type Mutant, MUTANTS, planted } from './capability-mutants.ts';

/** The gate runs a few seeds and checks each step; docs/TESTING.md says how to run thousands. */
const SEEDS = Number(process.env['MK_CHURN_SEEDS'] ?? 8);
const OPERATIONS = Number(process.env['MK_CHURN_OPERATIONS'] ?? 600);
const MUTANT_SEEDS = 60;
/**
 * Each found a bug once: a stale owner, an owner that was gone when it was noted, a takeover and a deletion that waited
 * for each other, a view that was lost on a busy link, a new owner that was not noted, a copy that came in from a core
 * that had gone, an answer that came when its giver had a new incarnation.
 */
const CRASHES = [
  { seed: 399, cores: 4 },
  { seed: 75, cores: 4 },
  { seed: 3282, cores: 4, restarts: true },
  { seed: 3373, cores: 5 },
  { seed: 7260, cores: 4, restarts: true },
  { seed: 30889, cores: 5 },
  { seed: 64, cores: 5 },
  { seed: 396, cores: 4, restarts: true },
] as const;

describe('churn in the simulator', () => {
  test(`keeps C1–C7 in ${SEEDS} seeds of ${OPERATIONS} operations under link faults`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = runChurn({ seed, operations: OPERATIONS, faultsPerSecond: 4, hmac: hmacSha256 });
      expect({ seed, violations: result.violations }).toEqual({ seed, violations: [] });
      expect(result.ok).toBeGreaterThan(OPERATIONS / 2);
    }
  });

  test.each(CRASHES)(
    'keeps C1–C5 among those who live when a core dies in the middle of its own rounds: %o',
    (crash) => {
      const { seed } = crash;
      const options = { ...crash, crashes: 1, operations: 400, faultsPerSecond: seed % 2 === 0 ? 3 : 0, hmac: fastMac };
      expect(runChurn(options).violations).toEqual([]);
    },
  );

  test('gives the same trace for the same seed', () => {
    const run = () => runChurn({ seed: 7, operations: 200, faultsPerSecond: 4, hash: true, hmac: hmacSha256 });
    const { hash } = run();
    expect(hash).not.toBe('');
    expect(run().hash).toBe(hash);
  });
});

describe('a bug planted in the capability protocol is caught', () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s', (_name, mutant) => {
    expect(mutant.script === undefined ? caughtByChurn(mutant) : caughtByScript(mutant, mutant.script)).not.toBeNull();
  });
});

/** What a run with the bug violates first: an invariant, or one of the kernel's own assertions. */
function caughtByChurn(mutant: Mutant): string | null {
  for (let seed = 1; seed <= MUTANT_SEEDS; seed += 1) {
    const found = failureOf(
      () =>
        runChurn({ seed, operations: 500, cores: 4, faultsPerSecond: 4, hmac: hmacSha256, wrap: planted(mutant) })
          .violations[0]?.invariant ?? null,
    );
    if (found !== null) return found;
  }
  return null;
}

/** The trace with the bug, if it differs from the correct one. */
function caughtByScript(mutant: Mutant, file: string): string | null {
  const [commands = '', expected = ''] = readFileSync(join(process.cwd(), 'test', 'datadriven', file), 'utf8').split(
    '----\n',
  );
  const trace = failureOf(() => new CapabilityScript(planted(mutant)).run(commands));
  return `${trace}\n` === expected ? null : trace;
}

function failureOf(run: () => string | null): string | null {
  try {
    return run();
  } catch (error) {
    return (error as Error).message;
  }
}

import { describe, expect, test } from '@jest/globals';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { runChurn } from '@mk/sim/workloads/churn';
import { MUTANTS, planted } from './mutants.ts';

/** `npm run sim-churn`-sized runs set these; the gate runs a few seeds, each step of which is checked. */
const SEEDS = Number(process.env['MK_CHURN_SEEDS'] ?? 6);
const OPERATIONS = Number(process.env['MK_CHURN_OPERATIONS'] ?? 600);
const MUTANT_SEEDS = 40;

describe('churn in the simulator', () => {
  test(`keeps C1–C7 in ${SEEDS} seeds of ${OPERATIONS} operations under link faults`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = runChurn({ seed, operations: OPERATIONS, faultsPerSecond: 4, hmac: hmacSha256 });
      expect({ seed, violations: result.violations }).toEqual({ seed, violations: [] });
      expect(result.ok).toBeGreaterThan(OPERATIONS / 2);
    }
  });

  test('gives the same trace for the same seed', () => {
    const run = () => runChurn({ seed: 7, operations: 200, faultsPerSecond: 4, hash: true, hmac: hmacSha256 });
    const { hash } = run();
    expect(hash).not.toBe('');
    expect(run().hash).toBe(hash);
  });
});

describe('a bug planted in the protocol is caught', () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s', (_name, mutant) => {
    let caught: string | null = null;
    for (let seed = 1; seed <= MUTANT_SEEDS && caught === null; seed += 1) caught = violationOf(seed, mutant);
    expect(caught).not.toBeNull();
  });
});

/** What a run with the bug violates first: an invariant, or an assertion of the kernel itself. */
function violationOf(seed: number, mutant: (typeof MUTANTS)[number]): string | null {
  try {
    const result = runChurn({ seed, operations: 500, cores: 4, faultsPerSecond: 4, hmac: hmacSha256, wrap: planted(mutant) });
    return result.violations[0]?.invariant ?? null;
  } catch (error) {
    return (error as Error).message;
  }
}

import { describe, expect, test } from '@jest/globals';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { runScenario } from '@mk/sim/engine/run-scenario';
import { MUTANTS, type Mutant, withMutant } from './mutants.ts';
import { RUN } from './support.ts';

/** Every deliberate bug must be detected within this many seeds. */
const SEEDS = 2000;

describe('the checkers see a deliberate bug', () => {
  test.each(MUTANTS)('$name', (mutant) => {
    const found = hunt(mutant);
    expect(found).not.toBeNull();
    expect(mutant.caughtBy).toContain(found!.invariant);
    process.stdout.write(
      `  ${mutant.name.split(':')[0]}: seed ${found!.seed}, ${found!.invariant} by ${found!.checker}\n`,
    );
  });

  test('and there are at least twelve of them, under different invariants', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(12);
    expect(new Set(MUTANTS.flatMap((m) => m.caughtBy)).size).toBeGreaterThanOrEqual(8);
  });
});

function hunt(mutant: Mutant): { seed: number; invariant: string; checker: string } | null {
  return withMutant(mutant, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const [violation] = runScenario(scenarioOf(seed, { leases: mutant.leases === true }), RUN).violations;
      if (violation !== undefined) return { seed, invariant: violation.invariant, checker: violation.checker };
    }
    return null;
  });
}

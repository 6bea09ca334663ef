import { describe, expect, test } from '@jest/globals';
import { ROGUE_BEHAVIOUR_NAMES } from '@mk/monitor-proto/rogue-behaviours';
import { SECOND } from '@mk/monitor-proto/ids';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { runChurn } from '@mk/sim/workloads/churn';
import { quickSimulation } from '../support/quick-simulation.ts';

/** The gate runs a few; docs/TESTING.md says how to run hundreds. */
const SEEDS = Number(process.env['MK_ROGUE_SEEDS'] ?? 2);
const WAYS = ['forge', 'lie', 'flood', 'garbage', 'spam_revoke', 'spam_retype', 'spam_remap'] as const;

describe('a core that was given nothing misbehaves in every way', () => {
  test('there are no other ways', () => {
    expect([...WAYS].sort()).toEqual([...ROGUE_BEHAVIOUR_NAMES].sort());
  });

  test(`C1–C7 hold on the others in ${SEEDS} seeds, under link faults`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = runChurn({ seed, operations: 150, cores: 4, rogue: WAYS, faultsPerSecond: 2, hmac: hmacSha256 });
      expect({ seed, violations: result.violations }).toEqual({ seed, violations: [] });
      expect(result.ok).toBeGreaterThan(60);
    }
  });
});

describe('a core that offends again and again is put out of the view, and nobody else is', () => {
  test.each([
    [3, 'forge'],
    [0, 'forge'],
    [3, 'garbage'],
    [3, 'flood'],
    [3, 'spam_retype'],
    [0, 'spam_revoke'],
  ] as const)('core %i: %s', (rogue, behaviour) => {
    const simulation = quickSimulation({
      seed: 1,
      cores: 4,
      logLevel: 'off',
      leaseMs: 600,
    });
    const honest = [0, 1, 2, 3].filter((core) => core !== rogue);
    const membersOf = (core: number): readonly number[] =>
      simulation.node(core).kernel?.services.views.agreement?.view?.members.map((member) => member.core) ?? [];
    simulation.start();
    simulation.run(30 * SECOND, () => [0, 1, 2, 3].every((core) => membersOf(core).length === 4));
    simulation.control(rogue, 'rogue', { behaviour, rate: 1, seed: 1 }, () => undefined);
    simulation.run(simulation.now + 10 * SECOND, () => honest.every((core) => membersOf(core).length < 4));
    simulation.run(simulation.now + 3 * SECOND);
    expect(honest.map(membersOf)).toEqual(honest.map(() => honest));
    expect(simulation.node(rogue).ended).toContain('PEER_GONE');
  });
});

import { describe, expect, test } from '@jest/globals';
import { ROGUE_BEHAVIOUR_NAMES } from '@mk/monitor-proto/rogue-behaviours';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { runChurn } from '@mk/sim/workloads/churn';

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

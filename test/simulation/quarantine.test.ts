import { describe, expect, jest, test } from '@jest/globals';
import { ROGUE_BEHAVIOUR_NAMES } from '@mk/monitor-proto/rogue-behaviours';
import { accusersNeeded, Quarantine } from '@mk/node-kernel/monitor/views/quarantine';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { type ChurnRunResult, runChurn } from '@mk/sim/workloads/churn';

/** The gate runs a few; docs/TESTING.md says how to run hundreds. */
const SEEDS = Number(process.env['MK_QUARANTINE_SEEDS'] ?? 4);

/** As many rogues as a view bears, all of them accusing everybody, while the others work and links break; one proven offence is enough to accuse. */
function churnBesideRogues(seed: number): ChurnRunResult {
  const cores = 4 + (seed % 4);
  const from = seed % ROGUE_BEHAVIOUR_NAMES.length;
  const ways = [...ROGUE_BEHAVIOUR_NAMES.slice(from), ...ROGUE_BEHAVIOUR_NAMES.slice(0, from)];
  return runChurn({
    seed,
    operations: 100,
    cores,
    rogue: ['forge', ...ways.slice(0, 3)],
    rogues: accusersNeeded(cores) - 1,
    quarantine: 1,
    faultsPerSecond: 2,
    hmac: fastMac,
  });
}

describe('a core that keeps to the protocol is never put out for what others say of it', () => {
  test(`QV3, and C1–C7 on the others, in ${SEEDS} seeds`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violations, ok } = churnBesideRogues(seed);
      expect({ seed, violations }).toEqual({ seed, violations: [] });
      expect(ok).toBeGreaterThan(20);
    }
  });

  test('is seen to be broken where one accuser counts twice', () => {
    const { accuse } = Quarantine.prototype;
    const planted = jest.spyOn(Quarantine.prototype, 'accuse').mockImplementation(function (
      this: Quarantine,
      by,
      members,
    ) {
      const once = accuse.call(this, by, members);
      return accuse.call(this, -1 - by, members) || once;
    });
    try {
      expect(churnBesideRogues(4).violations.map(({ invariant }) => invariant)).toContain('QV3');
    } finally {
      planted.mockRestore();
    }
  });
});

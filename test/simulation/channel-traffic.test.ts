import { describe, expect, test } from '@jest/globals';
import { hmacSha256 } from '@mk/sim/io/hmac';
import type { Kernel } from '@mk/node-kernel/kernel';
import { runChannelTraffic } from '@mk/sim/workloads/channel-traffic';
import { CHANNEL_MUTANTS, type ChannelMutant } from './channel-mutants.ts';

/** The gate runs a few seeds; `MK_CHANNEL_SEEDS` sets more. */
const SEEDS = Number(process.env['MK_CHANNEL_SEEDS'] ?? 8);
const FIRST = Number(process.env['MK_CHANNEL_FIRST'] ?? 1);
const ACTS = Number(process.env['MK_CHANNEL_ACTS'] ?? 600);

describe('programs that talk over channels, in the simulator', () => {
  test.each([
    ['under link faults', false],
    ['with cores and the SKB crashing, too', true],
  ])(`K1–K7 hold in ${SEEDS} seeds %s`, (_name, crashes) => {
    const totals: Record<string, number> = {};
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const result = runChannelTraffic({ seed, acts: ACTS, crashes, faultsPerSecond: 4, hmac: hmacSha256 });
      expect({ seed, violations: result.violations }).toEqual({ seed, violations: [] });
      for (const [name, count] of Object.entries(result.counts)) totals[name] = (totals[name] ?? 0) + count;
    }
    if (process.env['MK_CHANNEL_TOTALS'] !== undefined) process.stdout.write(`${JSON.stringify(totals)}\n`);
    for (const kind of ['bound', 'sent', 'received', 'capabilities', 'closed'])
      expect({ kind, count: totals[kind] ?? 0 }).toEqual({ kind, count: expect.any(Number) });
    expect(totals['received']).toBeGreaterThan(SEEDS * 10);
    expect(totals['capabilities']).toBeGreaterThan(SEEDS);
  });

  test('the same seed gives the same trace', () => {
    const run = () => runChannelTraffic({ seed: 3, acts: 300, hash: true, hmac: hmacSha256 });
    const { hash } = run();
    expect(hash).not.toBe('');
    expect(run().hash).toBe(hash);
  });
});

describe('a bug planted in the channels is caught', () => {
  test.each(CHANNEL_MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s', (_name, mutant) => {
    expect(caught(mutant)).not.toBeNull();
  });
});

/** The first invariant that a run with the bug breaks. */
function caught(mutant: ChannelMutant): string | null {
  for (let seed = 1; seed <= 40; seed += 1) {
    const { violations } = runChannelTraffic({
      seed,
      acts: 600,
      crashes: seed % 2 === 0,
      faultsPerSecond: 4,
      hmac: hmacSha256,
      wrap(machine) {
        if ('cpuDriver' in machine) mutant.plant(machine as unknown as Kernel);
        return machine;
      },
    });
    if (violations.length > 0) return violations[0]!.invariant;
  }
  return null;
}

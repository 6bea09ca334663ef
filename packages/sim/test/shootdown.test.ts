import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { simMachine } from '@mk/sim/io/load-machine';
import { PAPER_SHOOTDOWN, paperUnicast } from '@mk/sim/commands/paper-data';
import { SHOOTDOWN_PLANS, type ShootdownRow, shootdownTable } from '@mk/sim/commands/shootdown';
import { crossover, shootdownPlot, shootdownText } from '@mk/sim/commands/shootdown-report';

const GHZ = 2;
const MACHINES = join(process.cwd(), 'packages', 'launcher', 'machines');
let rows: readonly ShootdownRow[];

beforeAll(() => {
  const machineFor = (cores: number) => {
    const machine = simMachine('amd-8x4', cores, MACHINES);
    if (!machine.ok) throw new Error(machine.error);
    return machine.value.model;
  };
  rows = shootdownTable(
    machineFor,
    Array.from({ length: 31 }, (_, i) => i + 2),
    fastMac,
  );
});

/** Cycles of a plan with this many cores. */
function cycles(cores: number, plan: keyof ShootdownRow['ns']): number {
  return rows.find((row) => row.cores === cores)!.ns[plan] * GHZ;
}

describe('the shootdown on amd-8x4', () => {
  test.each([2, 8])('is within 10 %% of the paper for all four plans at %i cores', (cores) => {
    for (const plan of SHOOTDOWN_PLANS)
      expect({ plan, off: Math.abs(cycles(cores, plan) / PAPER_SHOOTDOWN[cores]![plan] - 1) < 0.1 }).toEqual({
        plan,
        off: true,
      });
  });

  test('follows the unicast curve that its costs were fitted to within 6 % on average', () => {
    const errors = rows.map(({ cores }) => Math.abs(cycles(cores, 'unicast') / paperUnicast(cores)! - 1));
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(0.06);
  });

  test('the trees win past about a dozen cores, and NUMA-awareness pulls ahead', () => {
    expect(crossover(rows)).toBeGreaterThanOrEqual(12);
    expect(crossover(rows)).toBeLessThanOrEqual(15);
    for (let cores = 16; cores <= 32; cores++) {
      expect(cycles(cores, 'numa')).toBeLessThan(cycles(cores, 'multicast'));
      expect(cycles(cores, 'multicast')).toBeLessThan(cycles(cores, 'unicast'));
      expect(cycles(cores, 'unicast')).toBeLessThan(cycles(cores, 'broadcast'));
    }
  });

  test('before that the order is unicast, trees, broadcast', () => {
    for (let cores = 6; cores <= 12; cores++) {
      expect(cycles(cores, 'unicast')).toBeLessThan(cycles(cores, 'numa'));
      expect(cycles(cores, 'numa')).toBeLessThanOrEqual(cycles(cores, 'multicast'));
      expect(cycles(cores, 'multicast')).toBeLessThan(cycles(cores, 'broadcast'));
    }
  });

  test('the NUMA-aware tree adds one message over the first link a package, however far that is', () => {
    const packages = [5, 6, 7].map((n) => cycles(4 * n + 4, 'numa') - cycles(4 * n, 'numa'));
    expect(Math.max(...packages)).toBeLessThanOrEqual(2 * 120);
  });

  test('broadcast adds one fetch a core, and answers do not queue behind it', () => {
    for (let cores = 14; cores <= 32; cores += 1)
      expect(cycles(cores, 'broadcast') - cycles(cores - 1, 'broadcast')).toBeCloseTo(618 / 2 + 120, 0);
  });

  test('cost by cores grows as the plan says: unicast by one message a core, numa by one a package', () => {
    expect(cycles(32, 'unicast') - cycles(24, 'unicast')).toBeGreaterThan(
      4 * (cycles(32, 'numa') - cycles(24, 'numa')),
    );
  });

  test('is told as a table and as a plot', () => {
    expect(shootdownText(rows, GHZ, true).split('\n')).toHaveLength(33);
    expect(shootdownPlot(rows, GHZ, 'amd-8x4', true)).toMatch(/^<svg [^]*paper: unicast[^]*<\/svg>\n$/);
  });
});

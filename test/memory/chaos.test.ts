import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { SECOND } from '@mk/monitor-proto/ids';
import { Kernel } from '@mk/node-kernel/kernel';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { programText } from '../../scripts/bundle-program.mjs';
import { bareProgram, ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { runMemoryChaos } from './memory-chaos.ts';

/** `MK_SEEDS=100` tries that many more of each kind, from `MK_FIRST_SEED` on. */
const extra = Number(process.env['MK_SEEDS'] ?? 0);
const firstSeed = Number(process.env['MK_FIRST_SEED'] ?? 10_000);
const seeds = (first: readonly number[]): readonly number[] => [
  ...first,
  ...Array.from({ length: extra }, (_, i) => firstSeed + i),
];
const coresOf = (seed: number): number => 3 + (seed % 3);

let text = '';
beforeAll(async () => {
  text = await programText(join(process.cwd(), 'test', 'memory', 'chaos-program.ts'));
});

describe('programs that use memory by chance on all cores', () => {
  // Seeds that found bugs; the named tests below, late-uses.test.ts and coherence's races.test.ts say which.
  test.each([
    ['links that fail', false, [1018, 4000]],
    ['links and cores that fail', true, [2018, 2044, 3041]],
  ] as const)('%s: nobody reads what is not his, M1 to M6, and nothing is left', (_what, crashes, first) => {
    let finished = 0;
    for (const seed of seeds(first)) {
      const { violations, asserted, events } = runMemoryChaos(seed, text, { crashes, cores: coresOf(seed) });
      expect({ seed, violations, asserted }).toEqual({ seed, violations: [], asserted: [] });
      finished += events['domain_finished'] ?? 0;
    }
    expect(finished).toBeGreaterThan(0);
  });

  test('they are killed, fail and leave in the middle of anything: no byte is lost or doubled (C5), C1 to C7, M1 to M6', () => {
    const ends: Record<string, number> = {};
    for (const seed of seeds([1, 2])) {
      const came = runMemoryChaos(seed, text, { crashes: false, kills: true, cores: coresOf(seed) });
      expect({ seed, violations: came.violations, asserted: came.asserted }).toEqual({
        seed,
        violations: [],
        asserted: [],
      });
      for (const [cause, count] of Object.entries(came.ends)) ends[cause] = (ends[cause] ?? 0) + count;
    }
    expect(Object.keys(ends)).toEqual(expect.arrayContaining(['exited', 'KILLED', 'UNCAUGHT']));
  });

  test('a core that keeps its translations is seen', () => {
    const wrap: NonNullable<SimulationOptions['wrap']> = (machine) => {
      if (machine instanceof Kernel) machine.services.addressSpaces.translations.drop = () => [];
      return machine;
    };
    const { violations, asserted } = runMemoryChaos(1, text, { crashes: false, cores: 3, wrap });
    expect([...violations.map(({ invariant }) => invariant), ...asserted]).not.toEqual([]);
  });
});

describe('what chance found', () => {
  test('the cspace of a domain lies in memory that its core brought, though there is stolen memory at lower addresses', async () => {
    const s = new ProgramSimulation({ cores: 2 });
    s.load(
      1,
      'thief',
      await bareProgram(`await mk.call('allocate', { bytes: 4096, near: 0 }); await mk.sleep(3600e9);`),
    );
    const thief = s.simulation.node(1).kernel!;
    s.spawn(1, 'thief');
    s.until(() =>
      thief.cpuDriver.state.ram.freeRanges().some(({ address }) => thief.cpuDriver.state.homeOf(address) === 0),
    );
    s.spawn(1, 'thief');
    const { domains, state } = thief.cpuDriver;
    const roots = domains.all().map(({ root }) => state.homeOf(root.capability!.address));
    expect(roots).toEqual(roots.map(() => 1));
    expect(roots.length).toBeGreaterThan(1);
  });

  test('memory of an earlier life comes home to a core that is in no view yet: it waits for one, and the core lives (J2)', () => {
    const s = new ProgramSimulation({ cores: 3 });
    const { simulation } = s;
    simulation.crash(2);
    simulation.run(simulation.now + SECOND / 100);
    simulation.startNode(2);
    const reborn = () => simulation.node(2).kernel;
    s.until(() => reborn()?.cpuDriver.booted === true);
    const { monitor, services, cpuDriver } = reborn()!;
    expect(monitor.context.takesPart).toBe(false);
    const { address } = cpuDriver.state.memory;
    services.capops.reclaims.onRequest(0, {
      type: 'cap_reclaim_request',
      op: '0.1.999',
      view: monitor.context.view,
      certain: false,
      ranges: [address, 4096],
    });
    s.until(() => monitor.context.takesPart && cpuDriver.state.ram.freeBytes === cpuDriver.state.memory.size);
    expect(simulation.node(2).ended).toBeNull();
  });
});

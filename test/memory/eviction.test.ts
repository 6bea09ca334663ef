import { expect, test } from '@jest/globals';
import { SECOND } from '@mk/monitor-proto/ids';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { Checks } from '@mk/sim/checkers/registry';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';
import { fileOf } from '../programs/cases.ts';

const CORES = [0, 1, 2] as const;

test('a core that may keep no page of others gives each up as soon as it is there, and nobody notices', async () => {
  const s = new ProgramSimulation({ seed: 1, cores: CORES.length });
  const checks = new Checks(s.simulation, [memoryChecker]);
  const pages = CORES.map((core) => s.simulation.node(core).kernel!.services.pages);
  for (const one of pages) one.capacity = 0;
  s.load(0, 'memory-shared', await programText(fileOf('memory-shared')));
  const { cause, status, text } = s.wait(0, s.spawn(0, 'memory-shared', [CORES.join(','), 'all', 'one-clock']));
  expect({ cause, status, text, violations: checks.violations }).toEqual({
    cause: 'exited',
    status: 0,
    text: '',
    violations: [],
  });
  const value = (core: number, name: string): number =>
    pages[core]!.metrics().find((family) => family.name === name)!.samples[0]!.value;
  expect(value(1, 'mk_page_evictions_total') + value(2, 'mk_page_evictions_total')).toBeGreaterThan(50);
  for (const core of CORES) expect(value(core, 'mk_pages_cached')).toBe(0);
  const written = pages[0]!.directory.reports().reduce((sum, { statistics }) => sum + statistics.writebacks, 0);
  expect(written).toBeGreaterThan(0);

  // The program's memory is free again: no core keeps anything of its pages.
  s.simulation.run(s.simulation.now + SECOND);
  for (const { cache, copies, directory } of pages)
    expect({ entries: directory.reports(), held: cache.held(), buffers: copies.size }).toEqual({
      entries: [],
      held: [],
      buffers: 0,
    });
  expect(checks.violations).toEqual([]);
});

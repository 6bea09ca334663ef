import { expect, test } from '@jest/globals';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { Checks } from '@mk/sim/checkers/registry';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';
import { fileOf } from '../programs/cases.ts';

/*
 * The races of address spaces, each by name, on whole kernels: two operations meet at every offset of a sweep (V2, M6,
 * C3), and each side wins some of them. Races of coherence alone are in packages/node-kernel/test/memory/races.test.ts.
 */
test.each([
  ['unmap against fault', 3],
  ['revoke against write', 3],
  ['span against unmap', 13],
])('%s', async (race, cores) => {
  const s = new ProgramSimulation({ seed: 1, cores });
  const checks = new Checks(s.simulation, [memoryChecker]);
  s.load(0, 'memory-races', await programText(fileOf('memory-races')));
  const list = Array.from({ length: cores }, (_, core) => core).join(',');
  const { cause, status, text } = s.wait(0, s.spawn(0, 'memory-races', [list, race]));
  expect({ cause, status, text, violations: checks.violations }).toEqual({
    cause: 'exited',
    status: 0,
    text: '',
    violations: [],
  });
  const line = s.output[0] ?? '{}';
  const tally = JSON.parse(line.slice(line.indexOf('{'))) as { readonly won: number; readonly lost: number };
  expect(tally.won).toBeGreaterThan(0);
  expect(tally.lost).toBeGreaterThan(0);
});

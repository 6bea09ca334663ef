import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { Checks } from '@mk/sim/checkers/registry';
import { allowedOutcomes, LITMUS_NAMES, litmusTest } from '../../packages/programs/src/common/litmus-tests.ts';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';

const RUNS = 60;
let text = '';
beforeAll(async () => {
  text = await programText(join(process.cwd(), 'packages', 'programs', 'src', 'litmus.ts'));
});

interface Told {
  readonly test: string;
  readonly runs: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly forbidden: Readonly<Record<string, number>>;
}

/** All tests on four simulated cores, with what the checkers of memory say. */
function told(seed: number, ...args: string[]): readonly Told[] {
  const s = new ProgramSimulation({ seed, cores: 4 });
  const checks = new Checks(s.simulation, [memoryChecker]);
  s.load(0, 'litmus', text);
  const words = [...args, '--runs', String(RUNS), '--json'];
  const domain = s.spawn(0, 'litmus', words, { environment: { CORES: '0,1,2,3' } });
  const { status } = s.wait(0, domain);
  expect({ status, violations: checks.violations }).toEqual({ status: 0, violations: [] });
  return s.output.map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Told);
}

describe('litmus tests', () => {
  test('sequential consistency allows what an interleaving shows', () => {
    const of = (name: string): number => allowedOutcomes(litmusTest(name)!).size;
    expect({ SB: of('SB'), MP: of('mp'), IRIW: of('IRIW'), CoWW: of('CoWW') }).toEqual({
      SB: 3,
      MP: 3,
      IRIW: 15,
      CoWW: 1,
    });
    expect([...allowedOutcomes(litmusTest('SB')!)]).not.toContain('0:r0=0 1:r0=0');
  });

  test.each(['two', 'one', 'homes'])('coherent memory shows nothing else: pages %s', (pages) => {
    const all = told(pages.length, '--pages', pages);
    expect(all.map((one) => one.test)).toEqual(LITMUS_NAMES);
    for (const { runs, forbidden } of all) expect({ runs, forbidden }).toEqual({ runs: RUNS, forbidden: {} });
  });

  test('private copies show their weaker outcomes', () => {
    const forbidden = new Map(told(1, '--kind', 'private').map((one) => [one.test, Object.keys(one.forbidden)]));
    expect(forbidden.get('MP')).toContain('1:r0=1 1:r1=0');
    expect(forbidden.get('atomics')).not.toEqual([]);
  });
});

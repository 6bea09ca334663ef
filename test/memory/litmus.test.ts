import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { Checks } from '@mk/sim/checkers/registry';
import { allowedOutcomes, LITMUS_NAMES, litmusTest } from '../../packages/programs/src/common/litmus-tests.ts';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';

const RUNS = 20;
let text = '';
beforeAll(async () => {
  text = await programText(join(process.cwd(), 'packages', 'programs', 'src', 'litmus.ts'));
});

interface Told {
  readonly test: string;
  readonly runs: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly forbidden: Readonly<Record<string, number>>;
  readonly first: { readonly outcome: string; readonly accesses: readonly { readonly access: string }[] } | null;
}

/** Four simulated cores, with the program started on the first. */
function begun(seed: number, args: readonly string[]) {
  const s = new ProgramSimulation({ seed, cores: 4 });
  const checks = new Checks(s.simulation, [memoryChecker]);
  s.load(0, 'litmus', text);
  return { s, checks, run: () => s.spawn(0, 'litmus', args, { environment: { CORES: '0,1,2,3' } }) };
}

function toldBy(s: ProgramSimulation): readonly Told[] {
  return s.output.map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Told);
}

/** All tests, or the one named by the first argument, with the findings of the memory checkers. */
function told(seed: number, ...args: string[]): readonly Told[] {
  const { s, checks, run } = begun(seed, [...args, '--runs', String(RUNS), '--json']);
  const { status } = s.wait(0, run());
  expect({ status, violations: checks.violations }).toEqual({ status: 0, violations: [] });
  return toldBy(s);
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

  test.each([
    [['XY'], 'litmus: there is no test XY; there are SB, MP'],
    [['MP', '--runs', 'many'], 'litmus: --runs takes a whole number from 1 to 10000000, not "many"'],
    [['MP', '--pages=three'], 'litmus: --pages is one of two, one, homes, not "three"'],
    [
      ['MP', '--page', 'one'],
      'litmus: there is no option --page; there are --runs, --kind, --pages, --json, --progress',
    ],
  ])('what the program cannot take it refuses in a line: %j', (args, text) => {
    const { s, run } = begun(1, args);
    expect(s.wait(0, run())).toMatchObject({ cause: 'exited', status: 2 });
    expect(s.output.map((line) => line.slice(line.indexOf('litmus:')))).toEqual([expect.stringContaining(text)]);
  });

  test('private copies show their weaker outcomes', () => {
    const forbiddenOf = (name: string): string[] =>
      Object.keys(told(1, name, '--kind', 'private', '--runs', '150')[0]!.forbidden);
    expect(forbiddenOf('MP')).toContain('1:r0=1 1:r1=0');
    expect(forbiddenOf('atomics')).not.toEqual([]);
  });

  test('every outcome that may be is seen: the runs do meet', () => {
    for (const name of ['SB', 'CoRR']) {
      const [one] = told(1, name, '--runs', '150');
      expect(Object.keys(one!.outcomes).sort()).toEqual([...allowedOutcomes(litmusTest(name)!)].sort());
    }
  });

  test('a home that crashes and comes back: runs are lost by name, none has a forbidden outcome', () => {
    const { s, checks, run } = begun(3, ['MP', '--pages', 'homes', '--runs', '300', '--json']);
    const domain = run();
    const { pages } = s.simulation.node(1).kernel!.services;
    s.until(() => pages.directory.reports().some(({ statistics }) => statistics.writes > 20));
    s.simulation.crash(1);
    s.simulation.run(s.simulation.now + 50e6);
    s.simulation.startNode(1);
    expect(s.wait(0, domain)).toMatchObject({ cause: 'exited', status: 0 });
    const [one] = toldBy(s);
    expect(one).toMatchObject({ runs: 300, forbidden: {}, first: null });
    expect(Object.keys(one!.outcomes).filter((outcome) => outcome.startsWith('lost: '))).not.toEqual([]);
    expect(checks.violations).toEqual([]);
  });

  test('a protocol that leaves a stale copy readable is caught, and the first forbidden run drawn', () => {
    const { s, run } = begun(1, ['MP', '--runs', '100']);
    const { copies } = s.simulation.node(1).kernel!.services.pages;
    const setState = copies.setState.bind(copies);
    const seen = new Set<number>();
    copies.setState = (page, state) => {
      seen.add(page);
      // The reader takes y first, then x.
      if (state !== 'invalid' || page !== [...seen][1]) setState(page, state);
    };
    const { cause, text } = s.wait(0, run());
    expect(cause).toBe('ASSERTION_FAILED');
    expect(text).toContain('MP: forbidden 1:r0=1 1:r1=0');
    const picture = /1:r0=1 1:r1=0 {2}FORBIDDEN[^]*thread 0, core 0 +thread 1, core 1[^]*R y=1[^]*R x=0/;
    expect(s.output.join('\n')).toMatch(picture);
    expect(s.output.join('\n')).toMatch(/what led to it \(clocks agree within \d+\.\d us\):/);
  });
});

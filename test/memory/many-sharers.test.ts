import { beforeAll, describe, expect, test } from '@jest/globals';
import { SECOND } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { encodeNumbers } from '@mk/node-kernel/monitor/agreement/envelope';
import { PHASES } from '@mk/node-kernel/monitor/agreement/round-actions';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { Checks } from '@mk/sim/checkers/registry';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';
import { fileOf } from '../programs/cases.ts';

const CORES = limit('treeFromCores') + 2;
const ROUNDS = 4;
let text = '';
beforeAll(async () => {
  text = await programText(fileOf('memory-many'));
});

/** The program started on the first of this many cores, and the first core's counters. */
function begun(seed: number) {
  const s = new ProgramSimulation({ seed, cores: CORES });
  const checks = new Checks(s.simulation, [memoryChecker]);
  s.load(0, 'memory-many', text);
  const { pages } = s.simulation.node(0).kernel!.services;
  const domain = s.spawn(0, 'memory-many', [Array.from({ length: CORES }, (_, core) => core).join()]);
  const sharers = (): number => Math.max(0, ...pages.directory.reports().map((report) => report.sharers.length));
  const treeRounds = (): number =>
    pages.metrics().find(({ name }) => name === 'mk_page_invalidation_rounds_total')!.samples[0]!.value;
  return { s, checks, domain, sharers, treeRounds };
}

describe('a page that many cores share', () => {
  test('is invalidated by the tree, and everybody reads what was written then', () => {
    const { s, checks, domain, treeRounds } = begun(1);
    expect(s.wait(0, domain)).toMatchObject({ cause: 'exited', status: 0, text: '' });
    expect(s.output).toEqual([`0: ${Array.from({ length: ROUNDS }, () => CORES).join()}`]);
    expect(treeRounds()).toBeGreaterThanOrEqual(ROUNDS - 1);
    expect(checks.violations).toEqual([]);
    // Only the home of a page may ask for it.
    const votes: unknown[] = [];
    const { roundActions } = s.simulation.node(3).kernel!.services.pages;
    for (const op of ['0.1.999999', '1.1.999999'])
      roundActions.invalidate(op, PHASES.commit, encodeNumbers([1, 1]), s.simulation.now, (error) => votes.push(error));
    expect(votes).toEqual([null, 'BAD_REQUEST']);
  });

  test('the target of an invalidation dies: it is answered for, and the write ends', () => {
    const dead = 5;
    const { s, checks, domain, sharers, treeRounds } = begun(2);
    s.until(() => sharers() === CORES);
    s.simulation.hang(dead);
    s.until(() => treeRounds() === 1);
    s.simulation.run(s.simulation.now + SECOND / 10);
    const { leftovers } = s.simulation.node(0).kernel!.services.pages.directory;
    expect(leftovers).toEqual([expect.stringContaining('has an open transaction')]);
    s.simulation.crash(dead);
    expect(s.wait(0, domain)).toMatchObject({ cause: 'exited', status: 0, text: '' });
    expect(s.output).toEqual([`0: ${[CORES, CORES - 1, CORES - 1, CORES - 1].join()}`]);
    expect(checks.violations).toEqual([]);
  });
});

import { beforeAll, describe, expect, test } from '@jest/globals';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { flatMachine } from '@mk/sim/engine/machines';
import { Checks } from '@mk/sim/checkers/registry';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';
import { fileOf } from '../programs/cases.ts';
import { MEMORY_MUTANTS, type MemoryMutant } from './mutants.ts';

const CORES = 3;
let text = '';
beforeAll(async () => {
  text = await programText(fileOf('memory-shared'));
});

/**
 * What detected something in a run of one part of the program: numbers of invariants, and `program` if it ended badly.
 */
function seen(part: string, mutant: MemoryMutant | null, seed: number): readonly string[] {
  const s = new ProgramSimulation({ seed, cores: CORES, machine: { ...flatMachine(), latencyNs: () => 100_000 } });
  const checks = new Checks(s.simulation, [memoryChecker]);
  if (mutant !== null) for (let core = 0; core < CORES; core += 1) mutant.plant(s.simulation.node(core).kernel!, core);
  s.load(0, 'memory-shared', text);
  const domain = s.spawn(0, 'memory-shared', ['0,1,2', part, 'one-clock']);
  let ended: { cause: string; status: number } | null = null;
  s.simulation.control(0, 'domain_wait', { domain }, (reply) => {
    ended = (reply as unknown as { value: { cause: string; status: number } }).value;
  });
  s.simulation.run(s.simulation.now + 2e9, () => ended !== null || checks.failed);
  const { cause, status } = ended ?? { cause: '', status: 0 };
  const program =
    cause === '' && !checks.failed ? ['M4'] : cause === '' || (cause === 'exited' && status === 0) ? [] : ['program'];
  return [...new Set([...checks.violations.map(({ invariant }) => invariant), ...program])];
}

describe('bugs planted in coherence and unmap', () => {
  test.each(['shared', 'contended', 'spinning', 'protecting', 'revoking'])(
    'without one nobody complains: %s',
    (part) => {
      expect(seen(part, null, 1)).toEqual([]);
    },
  );

  test.each(MEMORY_MUTANTS)('$name', (mutant) => {
    const found: string[] = [];
    for (const seed of [1, 2, 3]) {
      found.push(...seen(mutant.part, mutant, seed));
      if (found.some((name) => mutant.seenBy.includes(name)))
        return expect(found).toContain(mutant.seenBy.find((name) => found.includes(name)));
    }
    expect(found).toEqual(mutant.seenBy);
  });
});

import { test } from '@jest/globals';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';
import { fileOf } from '../programs/cases.ts';
test('time', async () => {
  const text = await programText(fileOf('memory-shared'));
  for (const part of ['shared','spinning','protecting','revoking','fromAfar','demandFromAfar','privately']) {
    const s = new ProgramSimulation({ seed: 1, cores: 5 });
    s.load(0, 'm', text);
    const t0 = performance.now(); const v0 = s.simulation.now;
    const d = s.spawn(0, 'm', ['0,1,2,3,4', part]);
    const { cause, text: tx } = s.wait(0, d);
    console.log(part, cause, tx, Math.round(performance.now() - t0), 'ms; virtual ms', (s.simulation.now - v0) / 1e6, 'turns', (s.simulation as any).programs?.turns);
  }
});

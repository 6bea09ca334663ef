import { expect, test } from '@jest/globals';
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { applyFault } from '@mk/sim/engine/apply-fault';
import { programTextOf } from '../../../../scripts/bundle-program.mjs';
import { ProgramSimulation } from './program-simulation.ts';

const HOLDER = await programTextOf(`import { program } from '@mk/libmk/program/program';
  export const main = program({ name: 'holder' }, async (mk) => {
    const lock = await mk.octopus.lock('disk');
    mk.console.log(mk.now() + ' has it with ' + lock.token);
    await lock.lost.catch((error) => mk.console.log(mk.now() + ' ' + error.name));
  });`);

/** Begins a holder on core 1, and another, which waits, on core 2. */
function twoWant(): ProgramSimulation {
  const s = new ProgramSimulation();
  for (const core of [1, 2]) {
    s.load(core, 'holder', HOLDER);
    s.spawn(core, 'holder');
    s.simulation.run(s.simulation.now + SECOND);
  }
  return s;
}

/** What the holders said, and when. */
function said(s: ProgramSimulation): readonly (readonly [core: string, at: number, what: string])[] {
  return s.output.map((line) => {
    const [, core, at, what] = /^(\d): (\d+) (.*)$/.exec(line) ?? [];
    return [core!, Number(at), what!];
  });
}

test('a program whose core is cut off from the SKB hears that its lock is lost before another has it (LK1)', () => {
  const s = twoWant();
  applyFault(s.simulation, {
    type: 'rule',
    rule: { kind: 'partition', id: 'cut', groups: [[1], [SKB_PEER]], one_way: false, for_ns: null },
  });
  s.simulation.run(s.simulation.now + 3 * limit('sessionTimeoutNs'));
  const [, lost, next] = said(s);
  expect(said(s).map(([core, , what]) => [core, what])).toEqual([
    ['1', 'has it with 1'],
    ['1', 'LOCK_LOST'],
    ['2', 'has it with 2'],
  ]);
  expect(lost![1]).toBeLessThanOrEqual(next![1]);
});

test('a program that says nothing for long keeps its lock', () => {
  const s = twoWant();
  s.simulation.run(s.simulation.now + 5 * limit('sessionTimeoutNs'));
  expect(said(s).map(([core, , what]) => [core, what])).toEqual([['1', 'has it with 1']]);
});

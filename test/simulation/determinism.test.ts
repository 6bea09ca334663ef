import { describe, expect, test } from '@jest/globals';
import type { PeerId } from '@mk/monitor-proto/ids';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { runScenario } from '@mk/sim/engine/run-scenario';
import { runTwice } from '@mk/sim/engine/run-twice';
import type { AnyMachine } from '@mk/sim/engine/sim-node';
import { RUN } from './support.ts';

const SCENARIO = scenarioOf(3);

/** A kernel whose turns depend on something outside the simulation. */
function planted(disturb: (at: number) => number): (machine: AnyMachine, node: PeerId) => AnyMachine {
  return (machine, node) => (node === 0 ? { step: (event, now) => machine.step(event, disturb(now)) } : machine);
}

describe('the same seed gives the same trace', () => {
  test('twice in one process', () => {
    expect(runScenario(SCENARIO, RUN).hash).toBe(runScenario(SCENARIO, RUN).hash);
  });

  test('and other seeds give others', () => {
    const hashes = [1, 2, 3, 4, 5].map((seed) => runScenario(scenarioOf(seed), RUN).hash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test.each([
    ['a random number', () => planted((now) => now + Math.floor(Math.random() * 1000))],
    [
      'state that outlives a run',
      () => {
        let calls = 0;
        return planted((now) => now + (calls++ % 997));
      },
    ],
    ['the wall clock', () => planted((now) => now + (Math.round(performance.now() * 1e6) % 997))],
  ])('a planted source of nondeterminism is seen: %s', (_name, plant) => {
    const { violations } = runTwice(SCENARIO, { ...RUN, wrap: plant() });
    expect(violations.map((v) => v.invariant)).toContain('D0');
  });
});

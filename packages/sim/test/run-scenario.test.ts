import { expect, test } from '@jest/globals';
import { SECOND } from '@mk/monitor-proto/ids';
import type { CheckerFactory } from '@mk/sim/checkers/checker';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import { runScenario } from '@mk/sim/engine/run-scenario';

test('a run that a violation ends does not complain of the rounds that it cut short', () => {
  const planted: CheckerFactory = () => ({
    name: 'planted',
    line: (line, report) => void (line.event === 'round_started' && report('A1', 'planted')),
  });
  const scenario = { seed: 1, cores: 3, machine: 'flat', faults: [], load: [], faultsForNs: SECOND };
  const { violations } = runScenario(scenario, {
    hmac: hmacSha256,
    machineOf: () => flatMachine(2),
    checkers: [planted],
  });
  expect(new Set(violations.map(({ invariant }) => invariant))).toEqual(new Set(['A1']));
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { chaosPlan } from '@mk/machine/chaos-plan';
import { parseFaultPlan } from '@mk/machine/fault-plan';
import { SECOND } from '@mk/monitor-proto/ids';
import { scenarioOfPlan } from '@mk/sim/nemesis/plan-scenario';
import { runScenario } from '@mk/sim/engine/run-scenario';
import { RUN } from './support.ts';

const FOLDER = join(import.meta.dirname, '../../plans');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

/** The violations when a plan runs on virtual time. */
function run(text: string, seed: number | null): readonly unknown[] {
  const plan = parseFaultPlan(text);
  if (!plan.ok) throw new Error(plan.error);
  const scenario = scenarioOfPlan(plan.value, { seed, cores: null, machine: null });
  if (!scenario.ok) throw new Error(scenario.error);
  const { violations, inconclusive } = runScenario(scenario.value, RUN);
  return inconclusive === null ? violations : [...violations, inconclusive];
}

describe('plans that ship hold on virtual time', () => {
  test.each(FILES)('%s', (name) => {
    expect(run(readFileSync(join(FOLDER, name), 'utf8'), null)).toEqual([]);
  });

  test('each is explained, names itself, and stands in the list', () => {
    const list = readFileSync(join(FOLDER, 'README.md'), 'utf8');
    for (const name of FILES) {
      const comment = readFileSync(join(FOLDER, name), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('#'));
      expect([name, comment.length >= 5, comment.join().includes(`plans/${name}`)]).toEqual([name, true, true]);
      expect([name, list.includes(`(${name})`)]).toEqual([name, true]);
    }
  });
});

test('plans made up from a seed hold on virtual time', () => {
  for (let seed = 1; seed <= 3; seed += 1)
    expect([seed, run(chaosPlan({ seed, cores: 3 + (seed % 5), forNs: 6 * SECOND }), null)]).toEqual([seed, []]);
});

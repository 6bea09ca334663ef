import type { Violation } from '../checkers/checker.ts';
import { type NemesisOptions, scenarioOf } from '../nemesis/nemesis.ts';
import { type RunOptions, type RunResult, runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';

/** Runs a scenario twice: the second run must leave the same trace (D0), byte for byte. */
export function runTwice(scenario: Scenario, options: RunOptions): RunResult {
  const first = runScenario(scenario, options);
  const second = runScenario(scenario, options);
  if (first.hash === second.hash) return first;
  const text = `two runs of seed ${scenario.seed} left the traces ${first.hash} and ${second.hash}`;
  const violation: Violation = { invariant: 'D0', checker: 'determinism', text, at: first.virtualNs };
  return { ...first, violations: [...first.violations, violation] };
}

/** The run of a seed, under the nemesis. */
export function runSeed(seed: number, nemesis: NemesisOptions, options: RunOptions): RunResult {
  return runScenario(scenarioOf(seed, nemesis), options);
}

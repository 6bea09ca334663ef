import type { Violation } from '../checkers/checker.ts';
import { type RunOptions, type RunResult, runScenario } from './run-scenario.ts';
import { firstDifference, type TurnRecord } from '../programs/sim-programs.ts';
import type { Scenario } from './scenario.ts';

/**
 * Runs a scenario twice: the second run must leave the same trace (D0), byte for byte. `watched`: options for the first
 * run only.
 */
export function runTwice(scenario: Scenario, given: RunOptions, watched: Partial<RunOptions> = {}): RunResult {
  const options = { ...given, endless: new Set<number>() };
  const first = runScenario(scenario, { ...options, ...watched });
  const second = runScenario(scenario, options);
  if (first.hash === second.hash) return first;
  const where = differingTurn(scenario, options);
  const text = `two runs of seed ${scenario.seed} left the traces ${first.hash} and ${second.hash}${where === null ? '' : `; ${where}`}`;
  const violation: Violation = { invariant: 'D0', checker: 'determinism', text, at: first.virtualNs };
  return { ...first, violations: [...first.violations, violation] };
}

/** How many more runs may look for the turn in which programs diverge: randomness may not show in each. */
const SEARCH_RUNS = 16;

/** Where programs diverge, from runs whose turns are recorded; null: there are no programs, or these runs agreed. */
function differingTurn(scenario: Scenario, options: RunOptions): string | null {
  if (options.program === undefined) return null;
  const turnsOfARun = (): TurnRecord[] => {
    const turns: TurnRecord[] = [];
    runScenario(scenario, { ...options, turns });
    return turns;
  };
  const first = turnsOfARun();
  for (let run = 1; run < SEARCH_RUNS; run++) {
    const where = firstDifference(first, turnsOfARun());
    if (where !== null) return where;
  }
  return null;
}

import type { Scenario } from '../engine/scenario.ts';

/** Runs a scenario; returns whether it fails like the one being shrunk. */
export type StillFails = (scenario: Scenario) => boolean;

export interface ShrinkResult {
  readonly scenario: Scenario;
  readonly runs: number;
}

/** More runs are not worth the wait. */
const MAX_RUNS = 600;

/**
 * Removes faults and load while the scenario still fails: halves first, then smaller pieces, then single entries, until
 * nothing more can go. The cores stay: their number changes the meaning of every seed.
 */
export function shrink(scenario: Scenario, stillFails: StillFails): ShrinkResult {
  let runs = 0;
  const fails = (candidate: Scenario): boolean => {
    runs += 1;
    return runs <= MAX_RUNS && stillFails(candidate);
  };
  let current = scenario;
  for (;;) {
    const before = current.faults.length + current.load.length;
    current = { ...current, load: reduce(current.load, (load) => fails({ ...current, load })) };
    current = { ...current, faults: reduce(current.faults, (faults) => fails({ ...current, faults })) };
    if (current.faults.length + current.load.length === before || runs > MAX_RUNS)
      return { scenario: current, runs: Math.min(runs, MAX_RUNS) };
  }
}

/** The part of a list that a failure needs: delta debugging (Zeller) with pieces of decreasing size. */
function reduce<T>(list: readonly T[], fails: (list: readonly T[]) => boolean): readonly T[] {
  let current = list;
  for (
    let size = Math.ceil(list.length / 2);
    size >= 1 && current.length > 0;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < current.length;) {
      const without = [...current.slice(0, from), ...current.slice(from + size)];
      if (fails(without)) current = without;
      else from += size;
    }
  }
  return current;
}

import type { Nanos } from '@mk/monitor-proto/ids';
import { applyFault } from '../engine/apply-fault.ts';
import type { Simulation } from '../engine/simulation.ts';
import { scenarioOf } from '../nemesis/nemesis.ts';

interface Disturbance {
  readonly seed: number | string;
  readonly cores: number;
  /** How long new faults begin, from now. */
  readonly forNs: Nanos;
  readonly faultsPerSecond: number;
  /** How often cores and the SKB crash, relative to the other faults; absent: never. */
  readonly crash?: number;
}

/** Schedules the nemesis's link faults, from now on, for a workload that makes its own requests. */
export function disturbLinks(simulation: Simulation, options: Disturbance): void {
  const { seed, cores, forNs, faultsPerSecond, crash = 0 } = options;
  const weights = {
    link: 5,
    bad_network: 2,
    partition: 1,
    one_way: 1,
    isolate: 1,
    reset: 6,
    skb_loss: crash,
    crash,
    hang: 1,
    slow: 1,
  };
  const scenario = scenarioOf(seed, { cores, weights, faultsPerSecond, requestsPerSecond: 0, faultsForNs: forNs });
  const begin = simulation.now;
  for (const { atNs, action } of scenario.faults)
    if (atNs < forNs) simulation.call(begin + atNs, () => applyFault(simulation, action));
}

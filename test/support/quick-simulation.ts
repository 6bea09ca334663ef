import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';

/**
 * A flat machine without anything slow that the test does not need: real MACs, the trace's hash, the measurement after
 * boot.
 */
export function quickSimulation(
  options: Pick<SimulationOptions, 'seed' | 'cores' | 'logLevel'> & Partial<SimulationOptions>,
): Simulation {
  return new Simulation({ machine: flatMachine(), hmac: fastMac, hash: false, measure: false, ...options });
}

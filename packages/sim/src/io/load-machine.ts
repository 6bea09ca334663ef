import { coreCount } from '@mk/machine/description';
import { loadMachine } from '@mk/machine/io/load';
import { Machine } from '@mk/machine/machine';
import { forCores } from '@mk/machine/resize';
import { type Result, succeed } from '@mk/monitor-proto/result';
import type { MachineModel } from '@mk/skb/config';
import { machineSummary } from '@mk/skb/io/machine-settings';
import { flatMachine } from '../engine/machines.ts';

/** A machine with its clock, so that nanoseconds can be shown as cycles. */
export interface SimMachine {
  readonly model: MachineModel;
  readonly ghz: number;
  /** A call between two dispatchers of a core; 0: not described. */
  readonly lrpcNs: number;
  readonly description: string;
}

/**
 * The number of cores of a machine, shipped or from a file; a plan that only names a machine gets that many, in both
 * worlds.
 */
export function machineCores(nameOrPath: string, machinesDirectory: string): Result<number, string> {
  const loaded = loadMachine(nameOrPath, machinesDirectory);
  return loaded.ok ? succeed(coreCount(loaded.value)) : loaded;
}

/** `flat`, a shipped machine or a file, cut or widened to so many cores. */
export function simMachine(nameOrPath: string, cores: number, machinesDirectory: string): Result<SimMachine, string> {
  if (nameOrPath === 'flat')
    return succeed({ model: flatMachine(), ghz: 1, lrpcNs: 0, description: '{"name":"flat"}' });
  const loaded = loadMachine(nameOrPath, machinesDirectory);
  if (!loaded.ok) return loaded;
  const description = coreCount(loaded.value) === cores ? loaded.value : forCores(loaded.value, cores);
  const model = new Machine(description);
  return succeed({ model, ghz: description.ghz, lrpcNs: model.lrpcNs, description: machineSummary(description) });
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { coreCount, type MachineDescription } from '@mk/machine/description';
import { loadMachine } from '@mk/machine/io/load';
import { Machine } from '@mk/machine/machine';
import { forCores } from '@mk/machine/resize';
import { machineModel, settingsForCore } from '@mk/skb/io/machine-settings';
import type { SkbSettings } from '@mk/skb/io/settings';
import { programDirectory } from '../boot/programs.ts';
import { UsageError } from '../cli/usage-error.ts';
import { valueOf } from '../cli/values.ts';

/** A machine with room for the cores that were asked for, and for some that may be added later. */
export interface ResolvedMachine {
  readonly name: string;
  readonly description: MachineDescription;
  readonly machine: Machine;
  readonly maxCores: number;
}

/** The machine of `--machine`: a shipped one's name, or a file. Larger or smaller than asked for, it is resized. */
export function resolveMachine(nameOrFile: string, cores: number): ResolvedMachine {
  const loaded = valueOf('--machine', loadMachine(nameOrFile, machinesDirectory()));
  const maxCores = Math.max(coreCount(loaded), 2 * cores);
  const description = forCores(loaded, maxCores);
  return { name: loaded.name, description, machine: new Machine(description), maxCores };
}

/** The folder of the shipped machines, beside the bundles or in the sources. */
export function machinesDirectory(): string {
  const programs = programDirectory();
  const candidates = [join(programs, 'machines'), join(programs, '..', 'packages', 'launcher', 'machines')];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined)
    throw new UsageError(`the shipped machines are not in ${candidates.join(' or ')}; name a file with --machine FILE`);
  return found;
}

/**
 * The one-way delays that the machine adds to the links of one core, by the other core: what the SKB tells that core.
 */
export function addedDelaysNs(
  { description, maxCores }: ResolvedMachine,
  from: number,
  timeScale: number,
): readonly number[] {
  const settings = { machine: description, maxCores, timeScale, links: {}, seed: '' } as unknown as SkbSettings;
  return (settingsForCore(settings, machineModel(settings), from) as { readonly delaysNs: readonly number[] }).delaysNs;
}

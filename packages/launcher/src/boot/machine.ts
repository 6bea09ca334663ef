import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { coreCount, type MachineDescription } from '@mk/machine/description';
import { loadMachine } from '@mk/machine/io/load';
import { Machine } from '@mk/machine/machine';
import { forCores } from '@mk/machine/resize';
import { coreSettings, machineModel } from '@mk/skb/io/machine-settings';
import type { SkbSettings } from '@mk/skb/io/settings';
import { programDirectory } from './programs.ts';
import { UsageError } from '../cli/usage-error.ts';
import { valueOf } from '../cli/values.ts';

/**
 * A core is a process of some 45 MB that all others talk to: a laptop can start this many without being asked. --cores
 * allows more.
 */
const MOST_UNASKED = 128;

/** A machine with room for the requested cores, and for some that join later. */
export interface ResolvedMachine {
  readonly name: string;
  /** How many cores to boot. */
  readonly cores: number;
  readonly description: MachineDescription;
  readonly machine: Machine;
  readonly maxCores: number;
}

/**
 * Resolves `--machine`: a shipped machine's name, or a file. Without a number of cores, boots every usable one; resizes
 * a machine of another size.
 */
export function resolveMachine(nameOrFile: string, asked: number | null): ResolvedMachine {
  const loaded = valueOf('--machine', loadMachine(nameOrFile, machinesDirectory()));
  const count = coreCount(loaded);
  if (asked === null && count > MOST_UNASKED) {
    throw new UsageError(
      `--machine ${nameOrFile} has ${count} cores, each a process here of some 45 MB: more than ${MOST_UNASKED} are started only when --cores says how many`,
    );
  }
  const cores = asked ?? count;
  const maxCores = Math.max(count, 2 * cores);
  const description = forCores(loaded, maxCores);
  return { name: loaded.name, cores, description, machine: new Machine(description), maxCores };
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

/** The one-way delays that the machine adds to one core's links, by the other core: what the SKB sends that core. */
export function addedDelaysNs(
  { description, maxCores }: ResolvedMachine,
  from: number,
  timeScale: number,
): readonly number[] {
  const settings = { machine: description, maxCores, timeScale, links: {}, seed: '' } as SkbSettings;
  return (coreSettings(settings, machineModel(settings))(from) as { readonly delaysNs: readonly number[] }).delaysNs;
}

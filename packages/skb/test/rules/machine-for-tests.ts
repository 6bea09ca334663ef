/** Reads a machine that ships. */
import { fileURLToPath } from 'node:url';
import type { MachineDescription } from '@mk/machine/description';
import { loadMachine } from '@mk/machine/io/load';

const MACHINES = fileURLToPath(new URL('../../../launcher/machines/', import.meta.url));

export function readMachine(name: string): MachineDescription {
  const loaded = loadMachine(name, MACHINES);
  if (!loaded.ok) throw new Error(loaded.error);
  return loaded.value;
}

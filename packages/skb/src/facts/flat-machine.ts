import type { MachineDescription } from '@mk/machine/description';
import { BARE, FREE } from '@mk/machine/description';

const CORES_PER_PACKAGE = 4;
/** Every pair of packages is a fact: too many for a larger machine, and useless without a description. */
const MOST_CORES = 256;

/** Stands in for an undescribed machine: packages of four cores, each a hop from every other, memory unknown. */
export function flatMachine(cores: number): MachineDescription {
  const count = Math.min(cores, MOST_CORES);
  const numbers = Array.from({ length: count }, (_, core) => core);
  const packages = Array.from({ length: Math.ceil(count / CORES_PER_PACKAGE) }, (_, index) => ({
    cores: numbers.slice(index * CORES_PER_PACKAGE, (index + 1) * CORES_PER_PACKAGE),
    numaNode: 0,
  }));
  return {
    ...BARE,
    name: 'flat',
    doc: 'Every core stands alike.',
    ghz: 1,
    packages,
    numaNodes: [{ memoryBytes: null, cores: numbers }],
    interconnect: 'full',
    costs: { send: FREE, receive: FREE, latency: FREE, gap: FREE, lrpc: 0 },
    timeScale: 0,
  };
}

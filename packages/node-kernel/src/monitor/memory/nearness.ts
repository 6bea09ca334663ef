import { Machine } from '@mk/machine/machine';
import type { MachineDescription } from '@mk/machine/description';
import type { CoreId } from '@mk/monitor-proto/ids';

/** The distances of cores' memories, from the machine description received at registration. */
export class Nearness {
  private machine: Machine | null | undefined;

  constructor(private readonly descriptionText: () => string) {}

  /**
   * The cores by the distance of their memory from `core`, nearest first: `core` itself, then the others; equally
   * distant ones in the order of ids after it.
   */
  sorted(core: CoreId, cores: readonly CoreId[]): CoreId[] {
    const rank = (other: CoreId): number => (other - core + 2 ** 16) % 2 ** 16;
    return [...cores].sort((a, b) => this.distance(core, a) - this.distance(core, b) || rank(a) - rank(b));
  }

  /** Relative distance of another core's memory: 10 is local, as in firmware tables; 0 when nothing is known. */
  distance(core: CoreId, other: CoreId): number {
    const machine = this.known();
    if (machine === null || core >= machine.cores || other >= machine.cores) return 0;
    return machine.numaDistance(machine.numaNodeOf(core), machine.numaNodeOf(other));
  }

  private known(): Machine | null {
    if (this.machine !== undefined) return this.machine;
    const description = JSON.parse(this.descriptionText()) as Partial<MachineDescription> | null;
    const usable = Array.isArray(description?.packages) && Array.isArray(description.numaNodes);
    return (this.machine = usable ? new Machine(description as MachineDescription) : null);
  }
}

/** How long messages occupy cores that are processes, with the machine's times stretched (`--occupancy`). */
import type { MachineDescription } from './description.ts';
import { Machine } from './machine.ts';

/**
 * The longest that one message to each other core, and one back, may occupy a core. At 0.16 s a cluster of 32 stays
 * whole, at 0.49 s it loses its first core: heartbeats, links and a program's start queue up faster than they leave
 * (docs/decisions/0210).
 */
const MOST_SECONDS = 0.4;

/** Says in one line why a cluster of so many cores would not stay whole at that scale; null if it would. */
export function checkOccupancy(description: MachineDescription, cores: number, timeScale: number): string | null {
  const seconds = ((cores - 1) * dearestMessageNs(description, cores) * timeScale) / 1e9;
  if (seconds <= MOST_SECONDS) return null;
  const scale = Math.floor((timeScale * MOST_SECONDS) / seconds / 100) * 100;
  return `a message to each of ${cores - 1} others and one back would occupy a core for up to ${seconds.toFixed(1)} s at a time scale of ${timeScale}, and it would be taken for dead; take at most ${scale}, fewer cores, or a lease of your own`;
}

/**
 * The longest that a message between two of the first `cores` cores occupies both its ends together, in modelled time.
 */
export function dearestMessageNs(description: MachineDescription, cores: number): number {
  const machine = new Machine(description);
  let dearest = 0;
  for (let core = 1; core < cores; core += 1)
    for (let other = 0; other < core; other += 1)
      dearest = Math.max(dearest, machine.sendOccupancyNs(other, core) + machine.receiveOccupancyNs(other, core));
  return dearest;
}

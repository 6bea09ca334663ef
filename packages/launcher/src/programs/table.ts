import { FLOOD_PROGRAM } from './flood.ts';
import type { Program } from './program.ts';

/** What `mkctl run` starts besides programs: workloads of the monitors, over the cores' control ports. */
export const PROBES: readonly Program[] = [FLOOD_PROGRAM];

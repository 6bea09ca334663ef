import { CHURN_PROGRAM } from './churn.ts';
import { FLOOD_PROGRAM } from './flood.ts';
import { PINGPONG } from './pingpong.ts';
import type { Program } from './program.ts';
import { RING } from './ring.ts';

/**
 * What `mkctl run` can start: today the workloads of the kernel's library, started over the cores' control ports. A
 * program made of dispatchers becomes one more row, whose `run` spawns them on the same cores.
 */
export const PROGRAMS: readonly Program[] = [RING, PINGPONG, FLOOD_PROGRAM, CHURN_PROGRAM];

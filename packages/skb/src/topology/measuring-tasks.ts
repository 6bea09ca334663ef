import type { CoreId } from '@mk/monitor-proto/ids';

/** One core's turn to measure: both directions between it and each of the others. */
export interface MeasuringTask {
  readonly core: CoreId;
  readonly others: readonly CoreId[];
}

/** A process that has just run answers sooner than one whose caches others have used; so many of them are in play at a time. */
const WARM_CORES = 12;

/**
 * Every pair once, or once from each end, block by block of the cores: while the pairs of two blocks are measured, their
 * processes stay warm. From each end is at two moments: what disturbs a host spoils one of them.
 */
export function measuringTasks(members: readonly CoreId[], fromEachEnd: boolean): MeasuringTask[] {
  const blocks = blocksOf([...members].sort((a, b) => a - b));
  const tasks: MeasuringTask[] = [];
  for (const [i, block] of blocks.entries()) {
    for (const other of fromEachEnd ? blocks : blocks.slice(i)) {
      for (const core of block) {
        const others = other.filter((partner) => (fromEachEnd ? partner !== core : partner > core));
        if (others.length > 0) tasks.push({ core, others });
      }
    }
  }
  return tasks;
}

function blocksOf(cores: readonly CoreId[]): readonly (readonly CoreId[])[] {
  return Array.from({ length: Math.ceil(cores.length / WARM_CORES) }, (_, i) => cores.slice(i * WARM_CORES, (i + 1) * WARM_CORES));
}

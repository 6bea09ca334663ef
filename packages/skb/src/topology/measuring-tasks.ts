import type { CoreId } from '@mk/monitor-proto/ids';

/** One core's turn to measure: both directions between it and each of the others. */
export interface MeasuringTask {
  readonly core: CoreId;
  readonly others: readonly CoreId[];
}

/** Every pair once, or once from each end: at two moments, so that a disturbance of the host spoils only one. */
export function measuringTasks(members: readonly CoreId[], fromEachEnd: boolean): MeasuringTask[] {
  const cores = [...members].sort((a, b) => a - b);
  return cores
    .map((core) => ({ core, others: cores.filter((other) => (fromEachEnd ? other !== core : other > core)) }))
    .filter(({ others }) => others.length > 0);
}

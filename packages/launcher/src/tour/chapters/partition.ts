import { limit } from '@mk/monitor-proto/limits';
import { isErrorName } from '@mk/monitor-proto/errors';
import { formatCores, formatDuration } from '@mk/machine/duration';

import type { Chapter } from '../tour.ts';

const DEADLINE_NS = limit('operationDeadlineNs');
const HEALED_MS = 120_000;
/** A timer, a turn of a loaded host and an HTTP answer after the deadline. */
const SLACK_NS = 5_000_000_000;

export const PARTITION: Chapter = {
  title: 'The network splits in two halves, and heals',
  async run(tour) {
    const { control } = tour.session;
    const half = Math.ceil(tour.cores / 2);
    const near = range(0, half);
    const far = range(half, tour.cores);
    await control.addFault({ kind: 'partition', id: 'tour', for_ns: null, groups: [near, far], one_way: false });
    tour.say(
      `cores ${formatCores(near)} and ${formatCores(far)} cannot hear one another; core 0 asks all of them to agree`,
    );
    const startedAt = performance.now();
    const failing = tour.errorOf(tour.core(0, 'round', { plan: 'multicast', phases: 1, count: 1 }));
    if (half > 1)
      tour.check(
        'within a half everything works: core 0 pings core 1',
        (await tour.errorOf(tour.core(0, 'ping', { core: 1, count: 3 }))) === null,
      );
    const error = await failing;
    const elapsedNs = (performance.now() - startedAt) * 1e6;
    const inTime = elapsedNs <= DEADLINE_NS + SLACK_NS;
    tour.check(
      `the round ends in ${error ?? 'no error'} after ${formatDuration(elapsedNs)}; its deadline is ${formatDuration(DEADLINE_NS)}`,
      error !== null && isErrorName(error) && inTime,
    );
    await control.heal('all');
    const round = await tour.until(
      () => tour.core(0, 'round', { plan: 'multicast', phases: 1, count: 1 }).catch(() => null),
      HEALED_MS,
    );
    tour.check(`healed: a round reaches all ${tour.cores} cores again`, round?.cores === tour.cores);
  },
};

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

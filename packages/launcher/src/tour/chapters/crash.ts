import { known } from '@mk/monitor-proto/assert';
import { formatDuration } from '@mk/machine/duration';

import type { Chapter } from '../tour.ts';

const JOIN_MS = 120_000;

export const CRASH: Chapter = {
  title: 'A core crashes, starts again, and joins',
  async run(tour) {
    const { control, supervisor } = tour.session;
    const core = tour.cores - 1;
    const pid = known(supervisor.core(core)).pid;
    await control.crash(core);
    tour.say(`core ${core} (pid ${pid}) is killed with SIGKILL`);
    const startedAt = performance.now();
    await control.restart(core);
    const joined = await tour.meshComplete(JOIN_MS);
    const elapsed = formatDuration((performance.now() - startedAt) * 1e6);
    const row = (await tour.members()).find((member) => member.core === core);
    tour.check(
      `core ${core} is back as incarnation ${row?.incarnation ?? '?'}, bound to all ${tour.cores - 1} others after ${elapsed}`,
      joined && row?.incarnation === 2,
    );
    const round = await tour.core(0, 'round', { plan: 'multicast', phases: 2, count: 1 });
    tour.check(`a two-phase round reaches all ${round.cores} cores again`, round.cores === tour.cores);
  },
};

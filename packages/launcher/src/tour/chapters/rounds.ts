import { known } from '@mk/monitor-proto/assert';
import { formatDuration } from '@mk/machine/duration';
import { plainTable } from '../../display/ready-table.ts';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import type { RoundSummary } from '@mk/node-kernel/control/verb-answers';
import type { Chapter } from '../tour.ts';

const ROUNDS = 5;

export const ROUNDS_OVER_PLANS: Chapter = {
  title: 'Agreement: one-phase and two-phase rounds over every dissemination plan',
  async run(tour) {
    const table = plainTable(['plan', 'phases', 'messages', 'fastest', 'median']);
    const results: RoundSummary[] = [];
    for (const plan of PLAN_KINDS) {
      for (const phases of [1, 2]) {
        const result = await tour.core(0, 'round', { plan, phases, count: ROUNDS });
        results.push(result);
        table.push([plan, phases, result.messages, formatDuration(result.min), formatDuration(result.p50)].map(String));
      }
    }
    tour.say(table.toString());
    const others = tour.cores - 1;
    tour.check(
      `every round reached all ${tour.cores} cores`,
      results.every(({ cores }) => cores === tour.cores),
    );
    tour.check(
      `every phase took 2 · (${tour.cores} − 1) = ${2 * others} messages`,
      results.every(({ messages, phases }) => messages === 2 * others * phases),
    );
    const one = (wanted: string): number =>
      known(results.find(({ plan, phases }) => plan === wanted && phases === 1)).p50;
    if (tour.cores > 4)
      tour.check(
        'asking one core after the other (broadcast) is slower than a tree (multicast)',
        one('broadcast') > one('multicast'),
      );
  },
};

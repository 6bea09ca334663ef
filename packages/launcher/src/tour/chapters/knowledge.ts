import { known } from '@mk/monitor-proto/assert';
import { enterBarrier } from '@mk/libmk/octopus/barrier';
import { acquireLock } from '@mk/libmk/octopus/lock';
import { Octopus } from '@mk/libmk/octopus/octopus';
import { formatDuration } from '@mk/machine/duration';
import type { Solution } from '@mk/monitor-proto/knowledge/query';
import { octopusOfCore } from '../../client/core-octopus.ts';
import type { Chapter, Tour } from '../tour.ts';

const QUERY_MS = 20_000;
const TREE_LINES = 6;
const PLACED = 4;

/** The cores' monitors ask every question of this chapter, over their own channels to the SKB. */
export const KNOWLEDGE: Chapter = {
  title: 'What the system knows: a query, a tree, a placement, a lock and a barrier for all cores',
  async run(tour) {
    await queries(tour);
    await tree(tour);
    const cores = Array.from(
      { length: tour.cores },
      (_, core) => new Octopus(octopusOfCore((verb, args) => tour.core(core, verb, args))),
    );
    await lockHandedRound(tour, cores);
    await barrier(tour, cores);
    for (const core of cores) core.close();
  },
};

async function queries(tour: Tour): Promise<void> {
  const neighbours = await answers(tour, 'cpu_thread(Core, 0, _, _), running_core(Core)');
  const found = neighbours.map(({ bindings }) => JSON.stringify(bindings)).join(' ');
  tour.say(`core 0 asks: cpu_thread(Core, 0, _, _), running_core(Core).  ${found}`);
  const expected = (await tour.members()).filter((member) => member.package === 0).length;
  tour.check(`package 0 has ${neighbours.length} running cores`, neighbours.length === expected);
  const pairs = tour.cores * (tour.cores - 1);
  const measured = await tour.until(async () => {
    const [count] = await answers(tour, 'aggregate_all(count, message_rtt(_, _, _, _, _, _), N)');
    return count?.bindings['N'] === pairs ? true : null;
  }, QUERY_MS);
  tour.check(`it knows the round trips of all ${pairs} pairs`, measured === true);
  if (tour.cores < PLACED) return;
  for (const [kind, what] of [
    ['near', 'near one another'],
    ['far', 'far apart'],
  ] as const) {
    const [found] = await answers(tour, `place(${kind}, ${PLACED}, Cores)`);
    const placed = found?.bindings['Cores'];
    const cores = Array.isArray(placed) ? placed : [];
    tour.check(`${PLACED} programs ${what} go to cores ${cores.join(', ')}`, cores.length === PLACED);
  }
}

async function tree(tour: Tour): Promise<void> {
  const text = String(await tour.skb('tree', { root: 0 }))
    .trimEnd()
    .split('\n');
  const rest = text.length - TREE_LINES;
  tour.say([...text.slice(0, TREE_LINES), ...(rest > 0 ? [`… and ${rest} more cores`] : [])].join('\n'));
  tour.check(`the tree of core 0 reaches all ${tour.cores} cores`, text.length === tour.cores);
}

async function lockHandedRound(tour: Tour, cores: readonly Octopus[]): Promise<void> {
  const order: number[] = [];
  let holders = 0;
  let most = 0;
  const startedAt = performance.now();
  await Promise.all(
    cores.map(async (octopus) => {
      const lock = await acquireLock(octopus, 'tour_lock');
      most = Math.max(most, (holders += 1));
      order.push(lock.ticket);
      holders -= 1;
      await lock.release();
    }),
  );
  const each = formatDuration(((performance.now() - startedAt) * 1e6) / cores.length);
  const inTurn = order.every((ticket, i) => i === 0 || ticket > known(order[i - 1]));
  tour.check(
    `a lock went round all ${order.length} cores, in the order they asked, one at a time; ${each} each`,
    order.length === cores.length && inTurn && most === 1,
  );
}

async function barrier(tour: Tour, cores: readonly Octopus[]): Promise<void> {
  let inside = 0;
  let early = 0;
  await Promise.all(
    cores.map(async (octopus) => {
      inside += 1;
      const entered = await enterBarrier(octopus, 'tour_barrier', cores.length);
      if (inside < cores.length) early += 1;
      await entered.leave();
    }),
  );
  tour.check(`all ${cores.length} cores passed a barrier together`, early === 0 && inside === cores.length);
}

async function answers(tour: Tour, goal: string): Promise<readonly Solution[]> {
  return (await tour.core(0, 'query', { goal, time_limit_ms: QUERY_MS })).solutions;
}

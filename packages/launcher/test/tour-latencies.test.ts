import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MILLISECOND } from '@mk/monitor-proto/ids';
import { Machine } from '@mk/machine/machine';
import { loadMachine } from '@mk/machine/io/load';
import { LATENCIES } from '../src/tour/chapters/latencies.ts';
import type { Tour } from '../src/tour/tour.ts';

const MACHINES = join(import.meta.dirname, '..', 'machines');
const LATENCY = 3 * MILLISECOND;

/** The verdicts of the chapter over three cores with links of 3 ms: their measured round trips, and the fastest of each series of pings. */
async function verdicts(trips: readonly number[], pings: readonly number[] = []): Promise<readonly boolean[]> {
  const pairs = [0, 1, 2].flatMap((from) => [0, 1, 2].filter((to) => to !== from).map((to) => ({ from, to })));
  const loaded = loadMachine('flat', MACHINES);
  if (!loaded.ok) throw new Error(loaded.error);
  const description = loaded.value;
  const held: boolean[] = [];
  const left = [...pings];
  const tour = {
    cores: 3,
    machine: { description, machine: new Machine(description), maxCores: 3 },
    session: { config: { latencyNs: LATENCY, jitterNs: 0, timeScale: 0 } },
    skb: () => Promise.resolve({ measuring: false }),
    trips: () =>
      Promise.resolve(
        pairs.map((pair, i) => ({ ...pair, min: trips[i], max: trips[i], average: trips[i], variance: 0 })),
      ),
    say: () => undefined,
    check: (_what: string, isHeld: boolean) => void held.push(isHeld),
    core: () => Promise.resolve({ min: left.shift() }),
    async until<T>(ask: () => Promise<T | null>): Promise<T | null> {
      for (;;) {
        const answer = await ask();
        if (answer !== null || left.length === 0) return answer;
      }
    },
  };
  await LATENCIES.run(tour as unknown as Tour);
  return held.slice(1);
}

const each = (ms: number): number[] => Array<number>(6).fill(ms * MILLISECOND);

test('round trips as configured hold; those that are too short do not', async () => {
  expect(await verdicts(each(6.2))).toEqual([true]);
  expect(await verdicts(each(5.8))).toEqual([false]);
});

test('late ones are the host’s if one ping comes in time, and the link’s if none does', async () => {
  const late = each(20);
  expect(
    await verdicts(
      late,
      [19, 18, 6.5].map((ms) => ms * MILLISECOND),
    ),
  ).toEqual([true]);
  expect(
    await verdicts(
      late,
      [19, 18, 17].map((ms) => ms * MILLISECOND),
    ),
  ).toEqual([false]);
  expect(await verdicts(late, [5.8 * MILLISECOND])).toEqual([false]);
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace } from './running-cluster.ts';

const MESSAGES = Number(process.env.MK_FLOOD_MESSAGES ?? 1_000_000);
const place = new ClusterPlace();

beforeAll(() => place.boot('--cores', '2', '--log-level', 'error'));
afterAll(() => place.cleanUp());

test('U1, U2: a million numbered messages over a link that is reset every 50 ms: none lost, none doubled, all in order', async () => {
  await place.ask('link', '0', '1', '--reset', '50ms');
  const result = (await place.ask('bench', 'flood', '0', '1', '--count', String(MESSAGES))) as Record<string, number>;
  expect(result).toMatchObject({ sent: MESSAGES, received: MESSAGES, lost: 0, doubled: 0, reordered: 0 });
  // The fault had an effect: the link was reopened many times.
  const rules = (await place.ask('faults')) as { counters?: { reset: number } }[];
  expect(JSON.stringify(rules)).toMatch(/"reset":[1-9]/);
}, 900_000);

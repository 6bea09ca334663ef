import { expect, test } from '@jest/globals';
import { MILLISECOND, SECOND } from '@mk/monitor-proto/ids';
import { DEFAULT_VIEW_SETTINGS } from '@mk/node-kernel/monitor/views/view';
import { Wish } from '@mk/node-kernel/monitor/views/wish';

test('an answer that comes while more cores are being announced, and nobody is asked, is heard', () => {
  let contacts: readonly number[] = [1, 2, 3];
  const asked: number[] = [];
  const wish = new Wish(
    { core: 0, incarnation: 1 },
    () => contacts,
    (core) => asked.push(core),
    DEFAULT_VIEW_SETTINGS,
  );
  for (let i = 0; i < 5; i += 1) wish.say(i);
  expect(new Set(asked)).toEqual(new Set([1, 2, 3]));
  contacts = [];
  // From a core whose view currently has no leader.
  expect(wish.heardBy(1, null, 6)).toBe(true);
});

test('while those who decide are slow to answer no others are asked; once all have answered, others are', () => {
  const contacts = Array.from({ length: 64 }, (_, i) => i + 1);
  const settings = { ...DEFAULT_VIEW_SETTINGS, beaconNs: 20 * SECOND };
  const asked = new Set<number>();
  const wish = new Wish(
    { core: 0, incarnation: 2 },
    () => contacts,
    (core) => asked.add(core),
    settings,
  );
  let now = 0;
  const say = (times: number): void => {
    for (let i = 0; i < times; i += 1) wish.say((now += 500 * MILLISECOND));
  };
  wish.say(now);
  wish.heardBy(1, 1, now);
  const deciding = asked.size;
  say(20);
  expect(asked.size).toBe(deciding);
  for (const core of asked) wish.heardBy(core, 1, now);
  say(5);
  expect(asked.size).toBeGreaterThan(deciding);
  // In the end it asks everybody, though not all of them answer.
  say(400);
  expect(asked.size).toBe(contacts.length);
});

import { expect, test } from '@jest/globals';
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

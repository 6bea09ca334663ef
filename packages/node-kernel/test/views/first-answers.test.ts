import { expect, test } from '@jest/globals';
import { MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { Leadership } from '@mk/node-kernel/monitor/views/leadership';
import type { ViewMessageOf } from '@mk/node-kernel/monitor/views/messages';
import { Newcomers } from '@mk/node-kernel/monitor/views/newcomers';
import { DEFAULT_VIEW_SETTINGS } from '@mk/node-kernel/monitor/views/view';

const CORES = 128;
const SETTINGS = { ...DEFAULT_VIEW_SETTINGS, leaseNs: 30 * SECOND, beaconNs: 10 * SECOND };

/** A leader of a large machine, and the beacons that it sent. */
function leader() {
  const members = Array.from({ length: CORES }, (_, core) => ({ core, incarnation: 1 }));
  const beacons: { readonly to: number; readonly message: ViewMessageOf<'view_beacon'> }[] = [];
  const leadership = new Leadership(
    {
      view: { number: 1, members, leader: 0 },
      ballot: { round: 0, core: 0 },
      oldLeasesUntil: 0,
      toldAt: -Infinity,
    },
    {
      self: { core: 0, incarnation: 1 },
      send: (to, message) => message.type === 'view_beacon' && beacons.push({ to, message }),
      suspects: () => [],
      isGuilty: () => false,
      acceptOwn: () => false,
      chosen: () => undefined,
    },
    SETTINGS,
    { dead: new Map(), newcomers: new Newcomers(SETTINGS), history: [] },
    0,
  );
  leadership.begin(null, 0);
  const answer = (core: number, now: Nanos): void =>
    leadership.replied(core, { type: 'view_beacon_reply', view: 1, sequence: 1, suspects: [], newcomers: [] }, now);
  return { leadership, beacons, answer };
}

test('on a machine where first answers come one by one, each is acknowledged once, and to its sender alone', () => {
  const { leadership, beacons, answer } = leader();
  expect(beacons.length).toBe(CORES - 1);
  beacons.length = 0;
  for (let core = 1; core < CORES; core += 1) {
    const now = 30 * core * MILLISECOND;
    answer(core, now);
    leadership.tick(now + 26 * MILLISECOND);
  }
  expect(
    beacons
      .filter(({ message }) => message.acked === 1)
      .map(({ to }) => to)
      .sort((a, b) => a - b),
  ).toEqual(Array.from({ length: CORES - 1 }, (_, i) => i + 1));
  expect(beacons.length).toBe(CORES - 1);
});

test('answers that come close to one another are acknowledged together, and the last ones at once', () => {
  const { leadership, beacons, answer } = leader();
  beacons.length = 0;
  for (let core = 1; core < CORES - 1; core += 1) answer(core, core);
  expect(beacons).toEqual([]);
  expect(leadership.nextWake(CORES)).toBeLessThanOrEqual(26 * MILLISECOND);
  answer(CORES - 1, CORES);
  expect(new Set(beacons.map(({ message }) => message.sequence)).size).toBe(1);
  expect(beacons.length).toBe(CORES - 1);
});

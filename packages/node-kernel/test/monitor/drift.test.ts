import { expect, test } from '@jest/globals';
import { MILLISECOND } from '@mk/monitor-proto/ids';
import type { MonitorContext } from '@mk/node-kernel/monitor/context';
import { Drift } from '@mk/node-kernel/monitor/probes/drift';
import type { Rally, RallyEnd } from '@mk/node-kernel/monitor/probes/rally';

test('what the SKB could not be told counts as not told, and is told at the next look', () => {
  const trips = { average: MILLISECOND, variance: 0, min: MILLISECOND, max: MILLISECOND };
  const rally = {
    play: (_core: number, _samples: number, now: number, end: RallyEnd) => end({ there: trips, back: trips }, now),
  };
  const told: unknown[] = [];
  let away = true;
  const send = (_to: number, message: unknown): 'PEER_UNKNOWN' | null =>
    away ? 'PEER_UNKNOWN' : (told.push(message), null);
  const drift = new Drift(
    { monitors: new Map([[1, {}]]), send } as unknown as MonitorContext,
    rally as unknown as Rally,
  );
  drift.look([1], 0);
  away = false;
  drift.look([1], 0);
  drift.look([1], 0);
  expect(told).toEqual([{ type: 'link_changed', core: 1, average: MILLISECOND }]);
});

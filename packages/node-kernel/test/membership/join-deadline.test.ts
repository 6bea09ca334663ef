import { expect, test } from '@jest/globals';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { SECOND } from '@mk/monitor-proto/ids';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { KernelConfig } from '../../src/config.ts';
import type { MonitorContext } from '../../src/monitor/context.ts';
import { Join } from '../../src/monitor/membership/join.ts';

/** The error with which a core ends at its deadline, over a link to the SKB that is open or not. */
function endsWith(link: number): readonly string[] {
  const failed: string[] = [];
  const timers = new TimerQueue();
  const peer = { link } as unknown as Peer;
  const context = { timers, registered: false, endpoint: { connect: () => peer } } as unknown as MonitorContext;
  const config = { skbAddress: 'skb:7000', joinDeadlineNs: 5 * SECOND } as unknown as KernelConfig;
  const join = new Join(context, config, {
    registered: () => undefined,
    fail: (error, text) => void failed.push(`${error}: ${text}`),
  });
  join.start(0);
  timers.expire(5 * SECOND);
  return failed;
}

test('a core that is not admitted in time says whether the SKB answered', () => {
  const text = 'the SKB at skb:7000 did not admit this core within 5 s (no answer yet)';
  expect(endsWith(0)).toEqual([`SKB_UNREACHABLE: ${text}`]);
  expect(endsWith(3)).toEqual([`JOIN_TIMEOUT: ${text}`]);
});

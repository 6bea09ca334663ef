import { expect, test } from '@jest/globals';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';
import { Flood } from '../../src/monitor/probes/flood.ts';
import type { MonitorContext } from '../../src/monitor/context.ts';

const payload = new Uint8Array();

/** The receiver's report to the sender of stream 1 after these messages. */
function toldOf(numbers: readonly number[], streams: readonly number[] = numbers.map(() => 1)): Message | undefined {
  const told: Message[] = [];
  const context = { send: (_core: number, message: Message) => void told.push(message) } as unknown as MonitorContext;
  const flood = new Flood(context);
  numbers.forEach((number, i) => flood.onMessage(2, { type: 'flood', stream: streams[i]!, number, payload }));
  flood.onEnd(2, { type: 'flood_end', stream: 1, count: 4 });
  return told[0];
}

test('what came, what is missing, what came twice and what came late is counted', () => {
  expect(toldOf([1, 2, 3, 4])).toMatchObject({ received: 4, lost: 0, doubled: 0, reordered: 0 });
  expect(toldOf([1, 3, 3, 2])).toMatchObject({ received: 3, lost: 1, doubled: 1, reordered: 2 });
});

test('a number out of all bounds costs no more than what is remembered: holes up to the bound are known, others are not', () => {
  const most = limit('floodHoles');
  const huge = 2 ** 32 - 1;
  expect(toldOf([huge, most])).toMatchObject({ received: 2, reordered: 2, doubled: 0 });
  expect(toldOf([huge, most + 1])).toMatchObject({ received: 1, reordered: 1, doubled: 1 });
});

test('so many streams of one sender are known; with one more the oldest is forgotten', () => {
  const most = limit('floodStreams');
  const streams = Array.from({ length: most }, (_, i) => i + 1);
  const ones = (list: readonly number[]): number[] => list.map(() => 1);
  expect(toldOf(ones(streams), streams)).toMatchObject({ received: 1 });
  expect(toldOf(ones([...streams, most + 1]), [...streams, most + 1])).toMatchObject({ received: 0 });
});

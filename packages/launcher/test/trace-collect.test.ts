import { expect, test } from '@jest/globals';
import { SKB_PEER } from '@mk/monitor-proto/ids';
import type { ClusterClient } from '../src/client/cluster-client.ts';
import { Collector } from '../src/tracing/collect.ts';

test('a trace names the cores that came after its start, and no others', async () => {
  const up = new Set([0, 1]);
  const cluster = {
    cores: () => Promise.resolve([0, 1, 2, 3].map((core) => ({ core, up: up.has(core) }))),
    core: (_core: number, verb: string) =>
      Promise.resolve(verb === 'clock' ? { offsetNs: 0, roundTripNs: 2 } : { entries: [], dropped: 0, now: 0 }),
    skb: () => Promise.resolve({ entries: [], dropped: 0, now: 0 }),
  };
  const collector = new Collector(cluster as unknown as ClusterClient);
  await collector.start(10, 100);
  up.add(2);
  const { processes, missing } = await collector.stop();
  expect(processes.map(({ peer }) => peer)).toEqual([0, 1, SKB_PEER]);
  expect(missing).toEqual(['core 2 is not in the trace: it came after the start']);
});

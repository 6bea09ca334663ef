import { expect, test } from '@jest/globals';
import { mergeNotes } from '../src/tracing/merge.ts';

test('as many notes as processes keep: more than fit into the arguments of a call', () => {
  const entries = Array.from({ length: 80_000 }, (_, i) => ['slice', 'timer', 1000 + i, 1001 + i] as const);
  const processes = [0, 1].map((peer) => ({ peer, entries, lost: 0, offsetNs: 500 * peer, withinNs: 1 }));
  const { slices } = mergeNotes('mk', processes);
  expect(slices).toHaveLength(160_000);
  expect(slices[0]).toEqual({ track: 1, name: 'timer', from: 500, to: 501 });
});

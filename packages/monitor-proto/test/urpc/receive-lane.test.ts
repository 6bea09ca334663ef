import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { WireMessage } from '@mk/monitor-proto/messages/codec';
import type { Batch } from '@mk/monitor-proto/urpc/frames';
import { ReceiveLane } from '@mk/monitor-proto/urpc/receive-lane';

const WINDOW = 8;

it('a batch taken whole does to the lane what accepting it one by one does, and is refused where that would differ', () => {
  const batches = fc.array(
    fc.record({ first: fc.integer({ min: 1, max: 12 }), count: fc.integer({ min: 1, max: WINDOW + 2 }) }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(batches, (plan) => {
      const [quick, plain] = [new ReceiveLane(WINDOW), new ReceiveLane(WINDOW)];
      for (const { first, count } of plan) {
        const batch: Batch = {
          lane: 0,
          first,
          messages: Array.from({ length: count }, (_, i) => [1, first + i] as unknown as WireMessage),
        };
        expect(quick.admits(batch)).toBe(first + count - 1 <= plain.received + WINDOW);
        if (!quick.admits(batch)) continue;
        const delivered: WireMessage[] = [];
        const known = plain.accept(batch, delivered);
        const viaQuick: WireMessage[] = [];
        const whole = quick.acceptWhole(batch);
        if (whole) viaQuick.push(...batch.messages);
        expect(whole ? 0 : quick.accept(batch, viaQuick)).toBe(known);
        expect(viaQuick).toEqual(delivered);
        expect([quick.received, quick.missing]).toEqual([plain.received, plain.missing]);
      }
    }),
  );
});

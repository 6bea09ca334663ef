import { describe, expect, test } from '@jest/globals';
import type { WireMessage } from '@mk/monitor-proto/messages/codec';
import { encodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { type Batch, FRAME } from '@mk/monitor-proto/urpc/frames';
import { messagesIn } from '@mk/monitor-proto/urpc/messages-in';
import fc from 'fast-check';

const field = fc.oneof(
  fc.nat(),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.string(),
  fc.boolean(),
  fc.uint8Array({ maxLength: 400 }),
  fc.array(fc.nat(), { maxLength: 40 }),
);
const message = fc.array(field, { minLength: 1, maxLength: 6 });
const batch = fc.tuple(
  fc.nat(2),
  fc.integer({ min: 1, max: 2 ** 40 }),
  fc.array(message, { minLength: 1, maxLength: 40 }),
);
const marks = fc.tuple(fc.nat(), fc.nat(), fc.nat());

describe('the cost of a frame', () => {
  test('is counted in messages, whatever they hold (as a decoder would count them)', () => {
    fc.assert(
      fc.property(fc.nat(), marks, marks, fc.array(batch, { maxLength: 3 }), (lamport, acks, missing, batches) => {
        const rows = batches.map(([lane, first, messages]): Batch => ({
          lane,
          first,
          messages: messages as unknown as WireMessage[],
        }));
        const frame = encodeFrame({ kind: FRAME.data, lamport, acks, missing, batches: rows });
        const counted = rows.reduce((sum, { messages }) => sum + messages.length, 0);
        expect(messagesIn(frame)).toBe(counted === 0 ? 1 : counted);
      }),
    );
  });

  test('a handshake costs as much as a message', () => {
    expect(messagesIn(encodeFrame({ kind: FRAME.prove, proof: new Uint8Array(32) }))).toBe(1);
  });
});

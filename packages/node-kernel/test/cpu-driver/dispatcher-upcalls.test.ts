import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Upcall } from '@mk/libmk/dispatcher/protocol';
import { Dispatcher } from '@mk/node-kernel/cpu-driver/dispatchers/dispatcher';
import { newTask } from '@mk/node-kernel/cpu-driver/scheduler/task';

const message = (channel: number, data: readonly number[], capabilities: readonly number[] = []): Upcall => ({
  type: 'message',
  channel,
  words: [],
  data: Uint8Array.from(data),
  capabilities,
});

/** The reads of a channel's program: bytes in order, and the positions of capabilities among them. */
function streamOf(upcalls: readonly Upcall[], channel: number): readonly (number | string)[] {
  return upcalls.flatMap((upcall) => {
    if (!('channel' in upcall) || upcall.channel !== channel) return [];
    if (upcall.type !== 'message') return [upcall.type];
    return [...upcall.data, ...upcall.capabilities.map((address) => `capability ${address}`)];
  });
}

test('messages of a channel that wait join in one upcall; none is refused, lost or out of its order', () => {
  const upcall = fc.oneof(
    fc
      .record({ channel: fc.nat(2), data: fc.array(fc.nat(255), { minLength: 1, maxLength: 4 }) })
      .map((m) => message(m.channel, m.data)),
    fc.tuple(fc.nat(2), fc.nat(255)).map(([channel, byte]) =>
      message(
        channel,
        Array.from({ length: 25_000 }, () => byte),
      ),
    ),
    fc.nat(2).map((channel) => message(channel, [7], [channel])),
    fc.nat(2).map((channel): Upcall => ({ type: 'credit', channel, bytes: 1 })),
  );
  fc.assert(
    fc.property(fc.array(fc.array(upcall, { maxLength: 30 }), { maxLength: 5 }), (turns) => {
      const program = { name: 'p', bytes: new Uint8Array(), digest: '' };
      const dispatcher = new Dispatcher(1, '0.1.1', program, newTask({ kind: 'best_effort', weight: 1 }), 0);
      const pushed: Upcall[] = [];
      const taken: Upcall[] = [];
      for (const turn of turns) {
        for (const one of turn) {
          pushed.push(one);
          dispatcher.push(one);
        }
        taken.push(...dispatcher.take());
      }
      const plain = (upcalls: readonly Upcall[]) =>
        [0, 1, 2].map((channel) => streamOf(upcalls, channel).filter((item) => item !== 'credit'));
      expect(plain(taken)).toEqual(plain(pushed));
      expect(taken.filter(({ type }) => type === 'credit')).toHaveLength(
        pushed.filter((u) => u.type === 'credit').length,
      );
    }),
    { numRuns: 60 },
  );
});

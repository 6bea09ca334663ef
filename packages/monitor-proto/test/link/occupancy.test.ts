import { expect, test } from '@jest/globals';
import { Occupancy } from '@mk/monitor-proto/link/occupancy';

const occupancy = (): Occupancy => new Occupancy({ sendNs: (to) => 10 * to, receiveNs: (from) => 7 + from });

test('messages leave one after the other, whoever they are for (OC1)', () => {
  const one = occupancy();
  expect([one.leave(100, 1, 1), one.leave(100, 2, 1), one.leave(105, 1, 3)]).toEqual([110, 130, 160]);
  expect(one.leave(1000, 1, 1)).toBe(1010);
});

test('messages are taken one after the other, whoever sent them (OC2), beside those that leave', () => {
  const one = occupancy();
  one.leave(0, 9, 100);
  expect([one.take(50, 1, 1), one.take(50, 1, 2), one.take(60, 3, 1)]).toEqual([58, 74, 84]);
});

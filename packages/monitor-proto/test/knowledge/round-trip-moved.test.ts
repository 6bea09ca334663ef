import { expect, test } from '@jest/globals';
import { MILLISECOND } from '@mk/monitor-proto/ids';
import { roundTripMoved } from '@mk/monitor-proto/knowledge/round-trip-moved';

test('a round trip has moved when it differs by more than a fifth, in both directions', () => {
  expect(roundTripMoved(10 * MILLISECOND, 12 * MILLISECOND)).toBe(false);
  expect(roundTripMoved(10 * MILLISECOND, 12.01 * MILLISECOND)).toBe(true);
  expect(roundTripMoved(10 * MILLISECOND, 8 * MILLISECOND)).toBe(false);
  expect(roundTripMoved(10 * MILLISECOND, 7.99 * MILLISECOND)).toBe(true);
});

test('the host’s noise is not a change, however large its ratio', () => {
  expect(roundTripMoved(0.1 * MILLISECOND, 0.3 * MILLISECOND)).toBe(false);
  expect(roundTripMoved(0.1 * MILLISECOND, 0.31 * MILLISECOND)).toBe(true);
});

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { callAfter, type LongTimer } from '../../src/io/long-timer.ts';

const HOUR_MS = 3_600_000;
let fired: number;

beforeEach(() => {
  jest.useFakeTimers();
  fired = 0;
});
afterEach(() => void jest.useRealTimers());

const timer = (ms: number): LongTimer => callAfter(ms, () => (fired += 1));

test.each([0, 5, 2 ** 31 - 1, 2 ** 31, 700 * HOUR_MS, 3 * 700 * HOUR_MS])('a timer of %d ms fires then, once', (ms) => {
  timer(ms);
  if (ms > 0) jest.advanceTimersByTime(ms - 1);
  expect(fired).toBe(ms > 0 ? 0 : fired);
  jest.advanceTimersByTime(2);
  expect(fired).toBe(1);
  jest.advanceTimersByTime(ms);
  expect(fired).toBe(1);
  expect(jest.getTimerCount()).toBe(0);
});

test('one that is cancelled in its second span does not fire; one without an end never does', () => {
  const long = timer(700 * HOUR_MS);
  const endless = timer(Infinity);
  jest.advanceTimersByTime(650 * HOUR_MS);
  long.cancel();
  jest.advanceTimersByTime(2_000 * HOUR_MS);
  expect(fired).toBe(0);
  endless.cancel();
  expect(jest.getTimerCount()).toBe(0);
});

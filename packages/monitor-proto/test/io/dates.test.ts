import { afterEach, expect, jest, test } from '@jest/globals';
import { momentByDate, steadyDates } from '@mk/monitor-proto/io/dates';

const HOUR_MS = 3_600_000;

afterEach(() => void jest.useRealTimers());

/** Half a minute passes while the date is set by `stepMs`. */
function passWithStep(stepMs: number): void {
  jest.advanceTimersByTime(30_000);
  jest.setSystemTime(Date.now() + stepMs);
}

test.each([HOUR_MS, -HOUR_MS])('stamps are 30 s apart though the date was set by %d ms meanwhile', (stepMs) => {
  jest.useFakeTimers();
  const date = steadyDates();
  const from = date();
  expect(from).toBeCloseTo(Date.now(), -1);
  passWithStep(stepMs);
  expect(date() - from).toBe(30_000);
});

test.each([0, HOUR_MS, -HOUR_MS])('a moment is where lines of the new date begin: %d ms', (stepMs) => {
  jest.useFakeTimers();
  const begun = momentByDate();
  const before = Date.now();
  expect(begun()).toBe(before);
  passWithStep(stepMs);
  // A line of now is news; one from before the moment, had it been stamped by this date, is not.
  expect(begun()).toBe(before + stepMs);
  expect(Date.now()).toBeGreaterThan(begun());
});

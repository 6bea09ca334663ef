/*
 * No script is broken off here: jest's async hooks do not survive it (decision 0119). The error that a broken-off
 * script causes is thrown instead.
 */
import { expect, test } from '@jest/globals';
import { watched } from '../src/io/bounded.ts';
import { Stalled } from '../src/programs/program-run.ts';

function brokenOff(): never {
  throw Object.assign(new Error('timed out'), { code: 'ERR_SCRIPT_EXECUTION_TIMEOUT' });
}

test('what had the processor for its time has no end; what had not says nothing, and the next is given twice the time', () => {
  const busy = (): never => {
    const before = process.cpuUsage();
    for (;;) {
      const { user, system } = process.cpuUsage(before);
      if (user + system > 30_000) return brokenOff();
    }
  };
  expect(watched(40, busy)).toBeNull();
  expect(watched(40, (timeoutMs) => timeoutMs)).toBe(40);
  expect(() => watched(60_000, brokenOff)).toThrow(Stalled);
  expect(watched(40, (timeoutMs) => timeoutMs)).toBe(80);
  expect(() =>
    watched(40, () => {
      throw new RangeError('its own');
    }),
  ).toThrow(RangeError);
});

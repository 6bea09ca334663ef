import { expect, it } from '@jest/globals';
import { clear } from '@mk/monitor-proto/reused-array';

it.each([0, 1, 16, 17, 1000])('an array of %i values is empty after it was cleared, and takes new ones', (length) => {
  const array = Array.from({ length }, (_, i) => i);
  clear(array);
  expect(array).toEqual([]);
  array.push(7);
  expect(array).toEqual([7]);
});

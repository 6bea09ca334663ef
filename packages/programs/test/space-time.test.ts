import { expect, test } from '@jest/globals';
import { spaceTimeLines } from '../src/common/space-time.ts';

test('what overlaps stands side by side; what ends at a moment stands above what begins then', () => {
  const lines = spaceTimeLines(
    ['thread 0', 'thread 1'],
    [
      { column: 0, text: 'W x=1', beganNs: 1000, endedNs: 3000 },
      { column: 1, text: 'R x=0', beganNs: 2000, endedNs: 2000 },
      { column: 1, text: 'R x=1', beganNs: 3000, endedNs: 4500 },
    ],
  );
  expect(lines.map((line) => line.trimStart())).toEqual([
    'us  thread 0  thread 1',
    '0.0  ┬',
    '1.0  │         ● R x=0',
    '2.0  ┴ W x=1',
    '2.0            ┬',
    '3.5            ┴ R x=1',
  ]);
});

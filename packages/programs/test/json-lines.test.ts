import { expect, test } from '@jest/globals';
import { jsonLines } from '../src/common/json-lines.ts';

test('a long document is broken between its values, never within a text', () => {
  const value = Array.from({ length: 200 }, (_, n) => ({ n, why: `a, "quoted", \\ text ${',"'.repeat(n % 7)}` }));
  for (const most of [60, 100, 300, 1000]) {
    const lines = jsonLines(JSON.stringify(value), most);
    expect(lines.length).toBeGreaterThan(5);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(most);
    expect(JSON.parse(lines.join('\n'))).toEqual(value);
  }
});

test('what fits is one line, and so is a value that nothing breaks', () => {
  const text = JSON.stringify(['a', { b: 1 }]);
  expect(jsonLines(text, text.length)).toEqual([text]);
  expect(jsonLines(text, text.length - 1).length).toBe(2);
  expect(jsonLines('{"a":1}', 4)).toEqual(['{"a":1}']);
});

import { describe, expect, test } from '@jest/globals';
import { cutLine } from '../../src/dispatcher/output-lines.ts';
import { formatLine } from '../../src/runtime/format.ts';
import { errorOf, ThrownValue } from '../../src/runtime/thrown-value.ts';

const trap = (): never => {
  throw new Error('trapped');
};
const untouchable = new Proxy({}, { get: trap, ownKeys: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap });

describe('a line of output', () => {
  const cyclic: Record<string, unknown> = { a: 1 };
  cyclic['self'] = cyclic;
  test.each([
    [['text', 'more'], 'text more'],
    [[cyclic], '{a: 1, self: [circular]}'],
    [[untouchable, 7], '[cannot be read] 7'],
    [
      [
        {
          get x() {
            return trap();
          },
          y: 2,
        },
      ],
      '{x: [cannot be read], y: 2}',
    ],
    [[[new Map([[1, 'one']]), new Set([NaN]), -0, 10n, undefined]], '[Map {1 → "one"}, Set {NaN}, -0, 10n, undefined]'],
    [[new Date(0), new Date(NaN), /x/g], '1970-01-01T00:00:00.000Z Invalid Date /x/g'],
    [[new Uint8Array(20)], 'bytes(20) [0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 …]'],
    [[{ a: { b: { c: { d: { e: 1 } } } } }], '{a: {b: {c: {d: {…}}}}}'],
  ])('%#', (values, line) => expect(formatLine(values as readonly unknown[])).toBe(line));

  test('ends whatever it is given: no more is looked at than is printed', () => {
    // Each level names the one below a thousand times: 10¹² values.
    const level = (below: unknown): unknown[] => Array.from({ length: 1000 }, () => below);
    for (const huge of [level(level(level(level(1)))), 'x'.repeat(1e7), new Array(2 ** 32 - 1), [['x'.repeat(1e6)]]]) {
      const line = formatLine([huge]);
      expect(line).toHaveLength(8192);
      expect(line.endsWith('… (cut: a line has at most 8192 characters)')).toBe(true);
    }
  });

  test('a line is cut beyond its bound alone, and between characters', () => {
    for (const whole of ['x'.repeat(8192), '😀'.repeat(4096)]) expect(formatLine([whole])).toBe(whole);
    expect(formatLine(['x'.repeat(8192), ''])).toContain('… (cut: ');
    for (const before of ['', 'x'])
      expect(cutLine(before + '😀'.repeat(5000))).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
  });
});

describe('what was thrown', () => {
  test('an Error stays what it is', () => {
    const error = new RangeError('too far');
    expect(errorOf(error)).toBe(error);
  });

  test.each([
    ['a text', 'a text', '"a text"'],
    [null, 'null', '"null"'],
    [{ code: 7 }, '{code: 7}', '"{code: 7}"'],
    [Symbol('s'), 'Symbol(s)', '"Symbol(s)"'],
  ])('%p becomes one', (thrown, message, shown) => {
    const error = errorOf(thrown);
    expect(error).toBeInstanceOf(ThrownValue);
    expect(error).toMatchObject({ message, shown });
  });

  test('one that throws when it is read is told of', () => {
    const broken = new Error('x');
    Object.defineProperty(broken, 'stack', { get: trap });
    for (const thrown of [untouchable, broken]) expect(errorOf(thrown).message).toBe('an error that cannot be read');
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Pattern, PatternError } from '../../src/octopus/pattern.ts';

/** Patterns that both engines read alike, over a small alphabet so that matches happen. */
const pattern = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '[a-c]', '\\d', '\\w', '\\S', '1', '^', '$'),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => a + b),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a}|${b})`),
    fc.tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{2,}')).map(([a, r]) => `(?:${a})${r}`),
  ),
})).node;

describe('Pattern', () => {
  test('agrees with JavaScript’s own engine', () => {
    fc.assert(
      fc.property(
        pattern,
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', ' '), maxLength: 8 }),
        (source, text) => {
          expect(new Pattern(source).test(text)).toBe(new RegExp(source).test(text));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('what would take a backtracking engine ages takes milliseconds', () => {
    const startMs = performance.now();
    for (const source of ['(a+)+$', '(a|a)*$', '(a*)*b', '(?:a?){30}a{30}'])
      new Pattern(source).test(`${'a'.repeat(2_000)}!`);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  test.each([
    '(',
    ')',
    '[a',
    'a{3,2}',
    'a{100}',
    '*',
    '\\q',
    '(?=a)',
    'a'.repeat(300),
    '((a{50}){50})',
    '[z-a]',
    'a\\',
  ])('refuses %s', (source) => expect(() => new Pattern(source)).toThrow(PatternError));
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Meter } from '../../src/octopus/meter.ts';
import { Pattern, PatternError } from '../../src/octopus/pattern.ts';

/** Patterns that both engines interpret alike, over a small alphabet so that matches occur. */
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

  test('reads code points as JavaScript’s engine does with its flag u', () => {
    const units = ['a', 'ä', '😀', '\u{1d306}', '\n'];
    const atoms = fc.constantFrom('.', '[^a]', '[ä-😀]', '😀', '[😀a]', '\\W', '\\s', 'ä', '[\\n-a]', '[!-\\]]');
    const sources = fc
      .array(fc.tuple(atoms, fc.constantFrom('', '*', '+', '?', '{2}')), { minLength: 1, maxLength: 4 })
      .map((parts) => `^${parts.map(([atom, repeat]) => atom + repeat).join('')}$`);
    fc.assert(
      fc.property(sources, fc.string({ unit: fc.constantFrom(...units), maxLength: 6 }), (source, text) => {
        expect(new Pattern(source).test(text)).toBe(new RegExp(source, 'u').test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a match takes at most states × characters steps, whatever the pattern, and says how many', () => {
    for (const source of ['(a+)+$', '(a|a)*$', '(a*)*b', '(?:a?){30}a{30}', '(a{0,60}){0,4}b', '[ab]*a[ab]{60}[cd]']) {
      const meter = new Meter();
      new Pattern(source).test(`${'a'.repeat(2_000)}!`, meter);
      expect(meter.steps).toBeGreaterThan(2_000);
      expect(meter.steps).toBeLessThan(2_002 * 513);
    }
  });

  test('what repeats nothing is compiled at once', () => {
    for (const source of ['(){64}{64}{64}{64}{64}{64}', '(^){64}{7}', '((){64}|){64}'])
      expect(new Pattern(source).test('')).toBe(true);
  });

  test.each([
    ['^job_\\d+$', 'job_'],
    ['^it\\.s', 'it.s'],
    ['job', ''],
    ['^a|b', ''],
    ['^ab*', 'a'],
    ['^😀x?', '😀'],
  ])('%s: a text that matches begins with %j', (source, prefix) => expect(new Pattern(source).prefix).toBe(prefix));

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
    '((()|){64}){64}',
    '[a-\\d]',
    '[z-a]',
    'a\\',
  ])('refuses %s', (source) => expect(() => new Pattern(source)).toThrow(PatternError));
});

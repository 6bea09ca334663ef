import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { matchesPattern } from '../src/name-pattern.ts';

/** By definition: a star takes nothing, or one character and matches again. */
function silly(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  if (pattern[0] === '*') return silly(pattern.slice(1), name) || (name !== '' && silly(pattern, name.slice(1)));
  return pattern[0] === name[0] && silly(pattern.slice(1), name.slice(1));
}

test('a pattern matches what it matches by definition', () => {
  const text = (letters: string, maxLength: number) =>
    fc.array(fc.constantFrom(...letters), { maxLength }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text('ab*', 8), text('ab', 8), (pattern, name) => {
      expect(matchesPattern(pattern, name)).toBe(silly(pattern, name));
    }),
    { seed: 18, numRuns: 2000 },
  );
});

test('what other languages take for something is taken as it stands', () => {
  for (const text of ['(', '[a-z]', '.', '\\', '<img onerror=x>', '^$|+?{}']) {
    expect(matchesPattern(text, text)).toBe(true);
    expect(matchesPattern(text, 'a')).toBe(false);
  }
});

test('many stars take no longer than few', () => {
  // Regular expressions would take practically for ever on these.
  const name = 'a'.repeat(100);
  expect(matchesPattern(`${'*'.repeat(200)}z`, name)).toBe(false);
  expect(matchesPattern(`${'*a'.repeat(60)}z`, name)).toBe(false);
  expect(matchesPattern(`${'*a'.repeat(60)}*`, name)).toBe(true);
});

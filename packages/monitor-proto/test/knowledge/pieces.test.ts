import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Assembler, piecesOf } from '../../src/knowledge/pieces.ts';

test('any text comes together again, also when its pieces end between the halves of a character', () => {
  const long = fc.tuple(
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.nat({ max: 40_000 }),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(long, ([start, count, end]) => {
      const text = start + '𝄞'.repeat(count) + end;
      const assembler = new Assembler(1_000_000);
      const pieces = piecesOf(text);
      const whole = pieces.map((piece) => assembler.add('k', { ...piece, text: overTheWire(piece.text) }));
      expect(whole.slice(0, -1).every((each) => each === undefined)).toBe(true);
      expect(whole.at(-1)).toBe(overTheWire(text));
    }),
    { numRuns: 60 },
  );
});

test('a text that grows past the bound is refused and forgotten', () => {
  const assembler = new Assembler(5);
  assembler.add('k', { text: 'abc', more: true });
  expect(() => assembler.add('k', { text: 'def', more: true })).toThrow(RangeError);
  expect(assembler.add('k', { text: 'x', more: false })).toBe('x');
});

/** As UTF-8, in which half a surrogate pair becomes a replacement character. */
function overTheWire(text: string): string {
  return Buffer.from(text).toString();
}

import { describe, expect, test } from '@jest/globals';

/** The counter is plain JavaScript, so its types are declared here. */
interface Counter {
  countIn(text: string): { casts: number; assertions: number };
  compare(counts: object, allowed: object): { lines: string[]; isWorse: boolean };
}

const script = new URL('../../scripts/count-casts.mjs', import.meta.url).href;
const { compare, countIn } = (await import(script)) as Counter;

describe('casts and non-null assertions', () => {
  test.each([
    ['const a = b as string;', 1, 0],
    ['const a = b as unknown as string;', 2, 0],
    ['const a = b! + c!.d![0]!;', 0, 4],
    ['const a = [1, 2] as const;', 0, 0],
    ["import { a as b } from 'c'; export { a as d } from 'c';", 0, 0],
    ['const a = !b; if (a !== b) c(b satisfies string);', 0, 0],
    ["const text = 'b as string, c!';", 0, 0],
  ])('%s', (text, casts, assertions) => {
    expect(countIn(text)).toEqual({ casts, assertions });
  });

  test('more than the table allows is refused, fewer are to be written down', () => {
    const allowed = { a: { casts: 3, assertions: 3 } };
    expect(compare({ a: { casts: 3, assertions: 3 } }, allowed)).toEqual({ lines: [], isWorse: false });
    expect(compare({ a: { casts: 4, assertions: 3 } }, allowed)).toMatchObject({ isWorse: true });
    expect(compare({ a: { casts: 2, assertions: 3 } }, allowed)).toMatchObject({
      isWorse: false,
      lines: [expect.any(String)],
    });
    expect(compare({ a: { casts: 3, assertions: 3 }, b: { casts: 1, assertions: 0 } }, allowed).isWorse).toBe(true);
  });
});

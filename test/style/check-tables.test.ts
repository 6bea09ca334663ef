import { expect, test } from '@jest/globals';

/** The checker is plain JavaScript, so its types are declared here. */
interface Checker {
  unusedRows(files: readonly (readonly [path: string, text: string])[]): string[];
}

const script = new URL('../../scripts/check-tables.mjs', import.meta.url).href;
const { unusedRows } = (await import(script)) as Checker;

const TABLE = [
  'a.ts',
  "export const SOME_ERRORS = { GONE: { code: 1, doc: 'GONE' } } as const satisfies Rows;",
] as const;

test.each([
  ["throw new MkError('GONE');", true],
  ['refuse(SOME_ERRORS.GONE);', true],
  ['const { GONE } = SOME_ERRORS;', true],
  ["if (error === 'GONE') again();", false],
  ["switch (error) { case 'GONE': again(); }", false],
  ["type Lost = 'GONE';", false],
  ["const WHY = { GONE: 'it left' };", false],
  ["const WHY = { 'GONE': 'it left' };", false],
  ['// GONE', false],
])('%s', (text, used) => {
  expect(unusedRows([TABLE, ['b.ts', text]])).toEqual(
    used ? [] : ['a.ts:1: nothing uses GONE of SOME_ERRORS: remove the row'],
  );
});

test('a row is no use of another', () => {
  const rows = "export const LIMITS = { most: { value: 1, reason: 'most' }, least: { value: 0, like: 'most' } };";
  expect(unusedRows([['limits.ts', rows]])).toHaveLength(2);
});

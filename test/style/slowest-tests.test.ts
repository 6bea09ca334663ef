import { describe, expect, test } from '@jest/globals';

const script = new URL('../../scripts/slowest-tests.mjs', import.meta.url).href;
const { slowest } = (await import(script)) as { slowest: (results: readonly object[]) => readonly string[] };

describe('the report of the slowest tests', () => {
  const file = (name: string, ...durations: readonly (number | null)[]): object => ({
    testFilePath: `/x/${name}.test.ts`,
    testResults: durations.map((duration, i) => ({ duration, fullName: `${name} ${i}` })),
  });

  test('names ten tests of all files, longest first, with file and time', () => {
    const lines = slowest([file('a', 10, 30_000, null), file('b', ...Array.from({ length: 12 }, (_, i) => 100 * i))]);
    expect(lines).toHaveLength(12);
    expect(lines[2]).toMatch(/^\s+30\.0 s {2}a\.test\.ts {2}a 1$/);
    expect(lines[3]).toMatch(/^\s+1\.1 s {2}b\.test\.ts {2}b 11$/);
  });

  test('says nothing when no test has run', () => {
    expect(slowest([file('a', null)])).toEqual([]);
  });
});

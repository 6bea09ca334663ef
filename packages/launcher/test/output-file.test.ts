import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { checkOutput, writeOutput } from '../src/cli/output-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'mk-output-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('the file that work will end in is refused before the work, and is not touched', () => {
  checkOutput('--out', join(folder, 'deep', 'new.svg'));
  expect(readdirSync(join(folder, 'deep'))).toEqual([]);
  const old = join(folder, 'old.svg');
  writeFileSync(old, 'of the last run');
  checkOutput('--out', old);
  expect(readFileSync(old, 'utf8')).toBe('of the last run');
  for (const device of ['/dev/null', '/dev/full']) checkOutput('--out', device);
  expect(() => checkOutput('--out', folder)).toThrow(/^--out: .* cannot be written \(EISDIR/);
  expect(() => checkOutput('--out', join(folder, 'x'.repeat(300)))).toThrow(
    /^--out: .* cannot be written \(ENAMETOOLONG/,
  );
  expect(() => checkOutput('--out', join(old, 'below-a-file'))).toThrow(/^--out: /);
});

test('a full disk is one line', () => {
  expect(() => writeOutput('/dev/full', 'x')).toThrow(/^\/dev\/full cannot be written: ENOSPC/);
});

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readOrMakeSecret, waitForSecret } from '../../src/node/secret-file.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-secret-'));
  file = join(folder, 'secret');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('is made once, for this user alone, and read ever after', async () => {
  const secret = readOrMakeSecret(file);
  expect(secret).toMatch(/^[0-9a-f]{64}$/);
  expect(readOrMakeSecret(file)).toBe(secret);
  expect(await waitForSecret(file, 0)).toBe(secret);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['secret']);
});

test('an empty file, as a full disk or a crash leaves one, is filled', async () => {
  writeFileSync(file, '');
  expect(await waitForSecret(file, 0)).toBeNull();
  const secret = readOrMakeSecret(file);
  expect(secret).toMatch(/^[0-9a-f]{64}$/);
  expect(readFileSync(file, 'utf8')).toBe(`${secret}\n`);
  expect(readdirSync(folder)).toEqual(['secret']);
});

test('a folder that is not there is said, and nothing is left', () => {
  expect(() => readOrMakeSecret(join(folder, 'none', 'secret'))).toThrow('ENOENT');
  expect(existsSync(join(folder, 'none'))).toBe(false);
});

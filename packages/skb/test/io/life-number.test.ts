import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { beginLife } from '@mk/skb/io/life-number';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mk-life-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('each life on a data directory has the next number', () => {
  const below = join(directory, 'not', 'yet');
  expect([beginLife(below), beginLife(below), beginLife(below)]).toEqual([1, 2, 3]);
});

test('without a directory, or with a file that holds no number, it is the first', () => {
  expect([beginLife(undefined), beginLife(undefined)]).toEqual([1, 1]);
  writeFileSync(join(directory, 'life'), 'x');
  expect(beginLife(directory)).toBe(1);
});

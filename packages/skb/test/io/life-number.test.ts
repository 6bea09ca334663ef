import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { beginLife, keepLife } from '@mk/skb/io/life-number';
import { ViewBook } from '../../src/registry/view-book.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mk-life-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('each life on a data directory has the next number', () => {
  const below = join(directory, 'not', 'yet');
  expect([beginLife(below), beginLife(below), beginLife(below)]).toEqual([1, 2, 3]);
});

test('without a directory it is the first', () => {
  expect([beginLife(undefined), beginLife(undefined)]).toEqual([1, 1]);
});

test.each(['x', '', '-5', '0', '1.5', '4295', '9007199254740991', '99999999999999999999'])(
  'where the file holds %j it is a late one, so that cores of the lives before may still be there',
  (text) => {
    writeFileSync(join(directory, 'life'), text);
    const life = beginLife(directory);
    expect(life).toBeGreaterThan(2_000);
    expect(life).toBeLessThanOrEqual(4_294);
    expect(beginLife(directory)).toBe(life < 4_294 ? life + 1 : 2);
  },
);

test('after the last whose views and incarnations have numbers of 32 bits it begins again, and not as a first one', () => {
  writeFileSync(join(directory, 'life'), '4293');
  expect([beginLife(directory), beginLife(directory), beginLife(directory)]).toEqual([4_294, 2, 3]);
  expect(new ViewBook(4_294).firstNumber + 999_999).toBeLessThan(2 ** 32);
});

test('a life that is kept late does not take back the number of later ones', () => {
  const path = join(directory, 'life');
  writeFileSync(path, '500');
  keepLife(path, 20);
  expect(beginLife(directory)).toBe(501);
  rmSync(path);
  keepLife(path, 20);
  expect(beginLife(directory)).toBe(21);
});

test('a life is kept over what is not a life, and is told when it cannot be', () => {
  const path = join(directory, 'life');
  for (let i = 0; i < 20; i += 1) {
    writeFileSync(path, 'x');
    keepLife(path, 20);
    expect(beginLife(directory)).toBe(21);
  }
  rmSync(path);
  mkdirSync(path);
  for (let i = 0; i < 20; i += 1) expect(() => keepLife(path, 4_000)).toThrow();
});

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ViewFile } from '@mk/skb/io/view-file';

let place = '';
let folder = '';
const path = (): string => join(folder, 'view.json');

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'mk-view-'));
  folder = place;
});
/** Retries: a second write of a view may still be under way. */
afterEach(() => rmSync(place, { recursive: true, maxRetries: 10 }));

async function kept(number: number): Promise<void> {
  for (;;) {
    const { last } = new ViewFile(folder);
    if (last?.number === number) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('the last of many views is what the next life reads', async () => {
  const file = new ViewFile(folder);
  expect(file.last).toBeNull();
  for (let number = 1; number <= 20; number += 1) file.keep({ number, cores: number % 5 });
  file.keep({ number: 21, cores: 4 });
  await kept(21);
  expect(new ViewFile(folder).last).toEqual({ number: 21, cores: 4 });
});

test('a view that could not be written is written when the folder is there again', async () => {
  const file = new ViewFile(join(folder, 'gone'));
  file.keep({ number: 7, cores: 3 });
  await new Promise((resolve) => setImmediate(resolve));
  folder = join(folder, 'gone');
  mkdirSync(folder);
  expect(new ViewFile(folder).last).toBeNull();
  file.again();
  await kept(7);
  expect(new ViewFile(folder).last).toEqual({ number: 7, cores: 3 });
});

test.each(['', '{', 'null', '[1]', '{"number":0,"cores":4}', '{"number":1,"cores":"4"}', '{"number":1,"cores":1e9}'])(
  'a file that says %j says nothing',
  (text) => {
    writeFileSync(path(), text);
    expect(new ViewFile(folder).last).toBeNull();
    expect(readFileSync(path(), 'utf8')).toBe(text);
  },
);

test('without a folder nothing is kept', () => {
  const file = new ViewFile(undefined);
  file.keep({ number: 1, cores: 1 });
  expect(file.last).toBeNull();
});

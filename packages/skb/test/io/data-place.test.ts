import { mkdirSync, mkdtempSync, rmSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { claimDataDir, type DataPlace } from '@mk/skb/io/data-place';
import { beginLife } from '@mk/skb/io/life-number';
import { poisonedRequests } from '@mk/skb/io/poisoned-file';
import { JournalKeeper } from '@mk/skb/journal/io/journal-keeper';

let folder: string;
let keeper: JournalKeeper | null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-place-'));
  keeper = null;
});
afterEach(() => {
  keeper?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A keeper of that place; what it logs. */
function keep(place: DataPlace, dataDir = folder): string[] {
  const said: string[] = [];
  keeper = new JournalKeeper({
    path: join(dataDir, 'journal.sqlite'),
    lock: place.lock,
    log: () => undefined,
    prepare: () => place.keepLife(),
    opened: () => void said.push('opened'),
    failed: (text) => void said.push(text),
    recovered: () => void said.push('recovered'),
  });
  keeper.open();
  return said;
}

test('a life that cannot be written down keeps its lock: the journal opens when the cause has gone', async () => {
  mkdirSync(join(folder, 'life')); // like a full disk: the lock can be taken, the number cannot be written
  const place = await claimDataDir(folder);
  expect(place.failure).toContain('life');
  const said = keep(place);
  expect(said).toHaveLength(1);
  expect(said[0]).not.toContain('has the journal');
  rmdirSync(join(folder, 'life'));
  keeper?.open();
  expect(said.slice(1)).toEqual(['opened']);
});

test('the journal of a later mk is said at boot, before it is opened', async () => {
  const head = Buffer.alloc(4_096);
  head.write('SQLite format 3\0', 'latin1');
  head.writeUInt32BE(9, 60);
  head.writeUInt32BE(0x6d_6b_6a_6e, 68);
  writeFileSync(join(folder, 'journal.sqlite'), head);
  const place = await claimDataDir(folder);
  expect(place.failure).toMatch(/journal\.sqlite: a later mk wrote it \(format 9; this one reads 1\)/);
  rmSync(join(folder, 'journal.sqlite'));
  expect(keep(place)).toEqual(['opened']);
});

/**
 * Something other than a file may be a pipe, on which opening blocks; a device stands for it here, which a bug would
 * only read.
 */
test.each(['journal.sqlite', 'journal.sqlite-wal', 'journal.sqlite.owner'])('%s is not a file: said', async (name) => {
  symlinkSync('/dev/null', join(folder, name));
  const said = keep(await claimDataDir(folder));
  expect(said).toHaveLength(1);
  expect(said[0]).toContain(`${name} is not a file`);
  rmSync(join(folder, name));
  keeper?.open();
  expect(said[1]).toBe('opened');
});

test('a damaged database is told of in one line that says what to do', async () => {
  const said = keep(await claimDataDir(folder));
  await keeper?.append([{ type: 'put', name: 'r', text: `r { v: 1 }` }]);
  keeper?.close();
  // Every page but the first: SQLite's check prints a line for each.
  writeFileSync(join(folder, 'journal.sqlite'), Buffer.alloc(24_576, 'garbage!'), {
    flag: 'r+',
    flush: true,
  } as object);
  said.push(...keep(await claimDataDir(folder)));
  expect(said).toEqual([
    'opened',
    expect.stringMatching(/^the journal \S+ cannot be read: .*; put a copy of it back, or move it away[^\n]*$/),
  ]);
});

test('numbers and requests of earlier lives are not read from what is not a file', () => {
  symlinkSync('/dev/zero', join(folder, 'poisoned.json')); // endless: reading it would never return
  expect(poisonedRequests(folder)).toEqual([]);
  symlinkSync('/dev/zero', join(folder, 'life'));
  expect(beginLife(folder)).toBeGreaterThan(1);
});

test('a folder that is deleted under the journal holds the number of this life again when the journal does', async () => {
  const dataDir = join(folder, 'data');
  await claimDataDir(dataDir).then(({ lock }) => lock?.release());
  const place = await claimDataDir(dataDir);
  const said = keep(place, dataDir);
  rmSync(dataDir, { recursive: true });
  await expect(keeper?.append([{ type: 'put', name: 'r', text: 'r {}' }])).rejects.toThrow('deleted');
  keeper?.open();
  expect(said).toEqual(['opened', expect.stringContaining('deleted'), 'recovered']);
  expect(beginLife(dataDir)).toBe(place.life + 1);
});

/** JN2 and JN3: whatever a client can send is read back unchanged, and an unreadable row costs no other. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import sqlite from 'node-sqlite3-wasm';
import type { OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import { decodeOctopusRequest } from '../../src/octopus/decode.ts';
import type { JournalChange } from '../../src/journal/changes.ts';
import { SqliteJournal } from '../../src/journal/io/sqlite-journal.ts';
import { keptText, textOfKept } from '../../src/journal/kept-text.ts';
import { OctopusStore } from '../../src/octopus/store.ts';

const newPath = (): string => join(mkdtempSync(join(tmpdir(), 'mk-round-trip-')), 'journal.sqlite');

/** Any JavaScript text, with unpaired surrogates and control characters more often than by chance. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\u0000', '\u0001', '\ud800', '\udc00', '\ud83d\ude00', 'a', "'", '\\', '\n', '\u2028'), {
      maxLength: 8,
    })
    .map((parts) => parts.join('')),
);

test('any text is kept as one that SQLite keeps, and comes back', () => {
  fc.assert(
    fc.property(anyText, anyText, (left, right) => {
      expect(textOfKept(keptText(left))).toBe(left);
      expect(keptText(left)).not.toContain('\u0000');
      expect(keptText(left).replace(/[\ud800-\udbff][\udc00-\udfff]/g, '')).not.toMatch(/[\ud800-\udfff]/);
      expect(keptText(left) === keptText(right)).toBe(left === right);
    }),
  );
});

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
const name = fc.oneof(
  anyText.map(quoted),
  fc.constantFrom('plain', "'__proto__'", "'a b'", "'plain_1'"),
  fc.integer({ min: 250, max: 258 }).map((chars) => 'n'.repeat(chars)),
);
const value = fc.oneof(
  anyText.map(quoted),
  fc.double().map(String),
  fc.integer().map(String),
  fc.constantFrom('1e20', '-0', '1E300', '5e-324', '9007199254740992', 'word'),
);
const record = fc
  .tuple(name, fc.array(fc.tuple(anyText.map(quoted), value), { maxLength: 4 }))
  .map(([called, attributes]) => `${called} { ${attributes.map(([key, held]) => `${key}: ${held}`).join(', ')} }`);
const set = fc.record({
  type: fc.constant('set'),
  record,
  sequential: fc.boolean(),
  transient: fc.boolean(),
  exclusive: fc.boolean(),
});
/** A permit, with a text at the bounds of what a record may have. */
const post = fc
  .tuple(
    fc.constantFrom('semaphore', 'permit'),
    fc.constantFrom(1, 9),
    fc.constantFrom(8_159, 8_160, 8_161, 8_190, 8_191, 8_192, 8_193),
  )
  .map(([recipe, number, chars]) => ({
    type: 'set',
    record: `'${recipe}:s_${number}' { note: '- ${'x'.repeat(chars)}`.slice(0, chars - "' }".length) + "' }",
    recipe,
    transient: recipe === 'permit',
  }));
const request = fc.oneof(
  { weight: 5, arbitrary: set },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('del'), query: name }) },
  { weight: 2, arbitrary: post },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('take'), name: fc.constant('s'), lease: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant('gone' as const) },
);
const owner = fc.oneof(fc.constantFrom('core', 'client'), anyText);

test('JN2: what the store accepts of requests as they travel is what a restart finds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(request, owner), { maxLength: 20 }), async (requests) => {
      const path = newPath();
      const store = new OctopusStore();
      const journal = new SqliteJournal(path);
      let id = 0;
      const answers: JournalChange[] = [];
      const appended: Promise<void>[] = [];
      for (const [asked, client] of requests) {
        if (asked === 'gone') {
          appended.push(journal.append(store.ownerGone(client).changes));
          continue;
        }
        const decoded = decodeOctopusRequest(JSON.stringify(asked)) as OctopusRequest;
        const { reply, changes } = store.step(decoded, { client, owner: client });
        const kept = { type: 'answers_put', client, last: ++id, replies: [[id, reply]] } as const;
        answers.push(kept);
        appended.push(journal.append([...changes, kept]));
      }
      await Promise.all(appended);
      journal.close();
      const again = new SqliteJournal(path);
      expect(again.events.filter(({ type }) => type === 'row_set_aside')).toEqual([]);
      const restored = new OctopusStore();
      restored.load(again.contents.octopus);
      expect(sorted(restored.snapshot())).toEqual(sorted(store.snapshot()));
      expect(sorted(again.contents.answers.map((kept) => ({ type: 'answers_put', ...kept })))).toEqual(sorted(answers));
      again.close();
    }),
    { numRuns: 30 },
  );
});

function sorted(rows: readonly unknown[]): readonly string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

describe('JN3: a row that cannot be read', () => {
  test.each([
    ['records', "('bad', 'bad {', NULL)", 'expected'],
    ['records', "('bad', 'other {}', NULL)", 'another record'],
    ['records', "('bad', x'00ff', NULL)", 'is not text'],
    ['records', "('bad', '_ { a: > 1 }', NULL)", 'another record'],
    ['answers', "('bad', 7, '[[1]]')", 'not answers'],
    ['answers', "('bad', 7, 'garbage')", 'JSON'],
    ['facts', '(\'bad\', \'{"name":"x"}\')', ''],
    ['rules', "(char(1) || 'x', 'p(1).')", 'JSON'],
    ['records', "(x'676f6f64', 'good {}', NULL)", 'is not text'],
    ['records', "('bad', 'bad {}', x'01')", 'owner is not text'],
    ['records', "('bad', 'bad {}', char(1) || '7')", 'is not text'],
    ['records', "(CAST(x'62ff' AS TEXT), 'bad {', NULL)", 'expected'],
    ['records', "('go' || char(0) || 'od', 'other {}', NULL)", 'another record'],
    ['answers', `('bad', 7, '[[1,{"ok":false,"error":"NO_RECORD","installed":false}]]')`, 'not answers'],
    ['answers', `('bad', 7, '[[1,{"ok":true,"record":5,"installed":false}]]')`, 'not answers'],
    ['answers', `('bad', 7, '[[-1,{"ok":true,"installed":false}]]')`, 'not answers'],
    ['answers', "('bad', 1.5, '[]')", 'whole number'],
    ['rules', "('bad', x'00')", 'is not text'],
  ])('of %s %s is set aside, and all others are there', async (table, values, reason) => {
    const path = newPath();
    const good: JournalChange[] = [
      { type: 'put', name: 'good', text: 'good { n: 1 }' },
      { type: 'counter', name: 'good', value: 3 },
      { type: 'rules_put', name: 'good', text: 'p(1).' },
      { type: 'answers_put', client: 'good', last: 1, replies: [[1, { ok: true, installed: false }]] },
    ];
    const journal = new SqliteJournal(path);
    await journal.append(good);
    const before = journal.contents;
    journal.close();
    const db = opened(path);
    db.exec(`INSERT INTO ${table} VALUES ${values}`);
    db.close();
    const harmed = new SqliteJournal(path);
    const aside = harmed.events.filter(({ type }) => type === 'row_set_aside');
    expect(aside).toHaveLength(1);
    expect(aside[0]).toMatchObject({ table, reason: expect.stringContaining(reason) as unknown });
    expect(before.octopus).toEqual([]);
    expect(harmed.contents).toMatchObject({ octopus: [good[1], good[0]], rules: [{ name: 'good' }] });
    expect(harmed.contents.answers).toHaveLength(1);
    harmed.close();
    const again = new SqliteJournal(path);
    expect(again.events).toEqual([]);
    expect(again.contents).toEqual(harmed.contents);
    again.close();
    const kept = opened(path);
    expect(kept.all('SELECT source, reason FROM set_aside')).toEqual([
      { source: table, reason: (aside[0] as { reason: string }).reason },
    ]);
    kept.close();
  });
});

test.each(["'many'", 'NULL', '-7', '1.5', '9007199254740991', '9e18', "x'07'"])(
  'JN3, O4: when a counter is %s, no sequence begins again below a number that somebody may hold',
  async (value) => {
    const path = newPath();
    const journal = new SqliteJournal(path);
    await journal.append([
      { type: 'put', name: 'lock:l_41', text: "'lock:l_41' {}", owner: 'client' },
      { type: 'put', name: 'own_999999999999999', text: 'own_999999999999999 {}' },
      { type: 'counter', name: 'job', value: 7 },
    ]);
    journal.close();
    const db = opened(path);
    db.exec('DROP TABLE counters; CREATE TABLE counters (name TEXT PRIMARY KEY, value) WITHOUT ROWID');
    db.exec(`INSERT INTO counters VALUES ('lock:l', ${value})`);
    db.close();
    for (const harmed of [1, 0]) {
      const again = new SqliteJournal(path);
      expect(again.events.filter(({ type }) => type === 'row_set_aside')).toHaveLength(harmed);
      const store = new OctopusStore();
      store.load(again.contents.octopus);
      again.close();
      const next = (record: string, recipe?: 'lock'): unknown =>
        store.step({ type: 'set', record, sequential: true, ...(recipe && { recipe }) }, { client: 'c', owner: 'c' })
          .reply;
      expect(next("'lock:l'", 'lock')).toMatchObject({ record: "'lock:l_42' {}" });
      expect(next('own')).toMatchObject({ record: 'own_42 {}' });
    }
  },
);

/** As the journal does: this build of SQLite has no shared memory for a WAL index. */
function opened(path: string): sqlite.Database {
  const db = new sqlite.Database(path);
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  return db;
}

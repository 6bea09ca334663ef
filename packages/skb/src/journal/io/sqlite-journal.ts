/**
 * The journal of the knowledge base: what it acknowledged is there after a kill.
 *
 * Guarantees: the promise of `append` resolves when the changes are on the disk (SQLite's write-ahead log, synced at
 * every commit); changes appended in one turn of the event loop share one commit; a commit is whole or not at all.
 * The tables hold the state, not its history, so nothing but the log needs compacting. Assumes one process per file.
 * Source: docs/decisions/0021-sqlite-journal.md.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import sqlite from 'node-sqlite3-wasm';
import type { Database, Statement } from 'node-sqlite3-wasm';
import type { JournalChange, JournalContents } from '../changes.ts';
import { factJson, factOfJson, keyOfChange } from '../changes.ts';
import { JOURNAL_LIMITS } from '../limits.ts';
import type { KeptAnswers } from '../../octopus/answers.ts';
import type { OctopusChange } from '../../octopus/store.ts';
import { summarizeWal } from '../wal.ts';

/** What opening found, or a repair did; for the log. */
export type JournalEvent =
  | { readonly type: 'recovered'; readonly committedFrames: number }
  | { readonly type: 'torn_write_repaired'; readonly tornBytes: number }
  | { readonly type: 'stale_lock_removed'; readonly pid: number }
  | { readonly type: 'compacted'; readonly freedBytes: number };

/** The journal cannot be used; the SKB must not acknowledge anything. */
export class JournalError extends Error {}

interface Pending {
  readonly changes: readonly JournalChange[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS records  (name TEXT PRIMARY KEY, text TEXT NOT NULL, owner TEXT) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS answers  (client TEXT, last INTEGER, replies TEXT NOT NULL, PRIMARY KEY (client, last))
    WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS facts    (text TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS rules    (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
`;

const STATEMENTS = {
  put: 'INSERT OR REPLACE INTO records VALUES (?, ?, ?)',
  remove: 'DELETE FROM records WHERE name = ?',
  counter: 'INSERT OR REPLACE INTO counters VALUES (?, ?)',
  counter_remove: 'DELETE FROM counters WHERE name = ?',
  answers_put: 'INSERT OR REPLACE INTO answers VALUES (?, ?, ?)',
  answers_forget: 'DELETE FROM answers WHERE client = ? AND last < ?',
  fact_put: 'INSERT OR REPLACE INTO facts VALUES (?, ?)',
  fact_remove: 'DELETE FROM facts WHERE text = ?',
  rules_put: 'INSERT OR REPLACE INTO rules VALUES (?, ?)',
  rules_remove: 'DELETE FROM rules WHERE name = ?',
} as const satisfies { readonly [T in JournalChange['type']]: string };

const VALUES: {
  readonly [T in JournalChange['type']]: (change: Extract<JournalChange, { type: T }>) => (string | number | null)[];
} = {
  put: ({ name, text, owner }) => [name, text, owner ?? null],
  remove: ({ name }) => [name],
  counter: ({ name, value }) => [name, value],
  counter_remove: ({ name }) => [name],
  answers_put: ({ client, last, replies }) => [client, last, JSON.stringify(replies)],
  answers_forget: ({ client, below }) => [client, below],
  fact_put: ({ text, fact }) => [text, factJson(fact)],
  fact_remove: ({ text }) => [text],
  rules_put: ({ name, text }) => [name, text],
  rules_remove: ({ name }) => [name],
};

export class SqliteJournal {
  readonly contents: JournalContents;
  /** What opening did, oldest first. */
  readonly events: readonly JournalEvent[];
  readonly #path: string;
  readonly #db: Database;
  readonly #statements: { readonly [T in JournalChange['type']]: Statement };
  #pending: Pending[] = [];
  #scheduled = false;
  #failure: JournalError | undefined;

  /** Opens or creates the journal at `path`; throws a `JournalError` if another process has it or it is damaged. */
  constructor(path: string) {
    this.#path = path;
    const events: JournalEvent[] = [];
    takeLock(path, events);
    noteRecovery(path, events);
    this.#db = new sqlite.Database(path);
    try {
      configure(this.#db);
      this.#db.exec(SCHEMA);
      events.push(...compact(this.#db));
      this.contents = readContents(this.#db);
    } catch (error) {
      this.#db.close();
      throw new JournalError(`the journal ${path} cannot be read: ${messageOf(error)}`);
    }
    const prepared = Object.entries(STATEMENTS).map(([type, sql]) => [type, this.#db.prepare(sql)] as const);
    this.#statements = Object.fromEntries(prepared) as { [T in JournalChange['type']]: Statement };
    this.events = events;
  }

  /** Keeps the changes, in order; resolves when they are on the disk. Rejects if they are not, and ever after. */
  append(changes: readonly JournalChange[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#pending.push({ changes, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.flush();
      });
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    while (this.#pending.length > 0) {
      const group = this.#takeGroup();
      try {
        this.#commit(group.flatMap((each) => each.changes));
      } catch (error) {
        this.#fail(error, group);
        return;
      }
      for (const { resolve } of group) resolve();
    }
  }

  /** Commits what waits and gives the file back. */
  close(): void {
    this.flush();
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.#db.close();
    rmSync(ownerPath(this.#path), { force: true });
  }

  #takeGroup(): readonly Pending[] {
    let changes = 0;
    let count = 0;
    while (count < this.#pending.length && (count === 0 || changes < JOURNAL_LIMITS.maxBatch)) {
      changes += this.#pending[count++]?.changes.length ?? 0;
    }
    return this.#pending.splice(0, count);
  }

  #commit(changes: readonly JournalChange[]): void {
    const last = new Map(changes.map((change) => [keyOfChange(change), change]));
    if (last.size === 0) return;
    this.#db.exec('BEGIN');
    for (const change of last.values()) {
      const values = VALUES[change.type] as (change: JournalChange) => (string | number | null)[];
      this.#statements[change.type].run(values(change));
    }
    this.#db.exec('COMMIT');
  }

  /** A full or broken disk: what follows would stand on what is not there, so the journal takes nothing more. */
  #fail(error: unknown, group: readonly Pending[]): void {
    this.#failure = new JournalError(`the journal ${this.#path} cannot be written: ${messageOf(error)}`);
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
    for (const { reject } of [...group, ...this.#pending.splice(0)]) reject(this.#failure);
  }
}

function configure(db: Database): void {
  // Exclusive locking keeps the log's index in our memory: this build of SQLite has no shared memory.
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec(`PRAGMA wal_autocheckpoint = ${JOURNAL_LIMITS.checkpointPages}`);
  const check = db.get('PRAGMA quick_check') as { readonly quick_check?: unknown } | null;
  if (check?.quick_check !== 'ok') throw new JournalError(`quick_check says ${String(check?.quick_check)}`);
}

function compact(db: Database): readonly JournalEvent[] {
  const number = (pragma: string): number => Number(Object.values(db.get(`PRAGMA ${pragma}`) ?? {})[0]);
  const free = number('freelist_count');
  if (free === 0 || free < number('page_count') * JOURNAL_LIMITS.vacuumShare) return [];
  db.exec('VACUUM');
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  return [{ type: 'compacted', freedBytes: free * number('page_size') }];
}

function readContents(db: Database): JournalContents {
  const rows = (sql: string): { readonly [column: string]: unknown }[] => db.all(sql);
  const counters = rows('SELECT name, value FROM counters').map(({ name, value }): OctopusChange => {
    return { type: 'counter', name: String(name), value: Number(value) };
  });
  const puts = rows('SELECT name, text, owner FROM records').map(({ name, text, owner }): OctopusChange => {
    return { type: 'put', name: String(name), text: String(text), ...(owner === null ? {} : { owner: String(owner) }) };
  });
  return {
    octopus: [...counters, ...puts],
    answers: rows('SELECT client, last, replies FROM answers').map(({ client, last, replies }): KeptAnswers => {
      return {
        client: String(client),
        last: Number(last),
        replies: JSON.parse(String(replies)) as KeptAnswers['replies'],
      };
    }),
    facts: rows('SELECT json FROM facts').map(({ json }) => factOfJson(String(json))),
    rules: rows('SELECT name, text FROM rules').map(({ name, text }) => ({ name: String(name), text: String(text) })),
  };
}

/** SQLite's lock in this build is a directory, which a kill leaves behind; the pid beside it says whose it was. */
function takeLock(path: string, events: JournalEvent[]): void {
  const lock = `${path}.lock`;
  const owner = ownerPath(path);
  const pid = existsSync(owner) ? Number(readFileSync(owner, 'utf8')) : 0;
  if (pid > 0 && pid !== process.pid && isAlive(pid)) throw new JournalError(`process ${pid} has the journal ${path}`);
  if (existsSync(lock)) {
    rmSync(lock, { recursive: true });
    events.push({ type: 'stale_lock_removed', pid });
  }
  writeFileSync(owner, String(process.pid));
}

function noteRecovery(path: string, events: JournalEvent[]): void {
  if (!existsSync(`${path}-wal`)) return;
  const { committedFrames, tornBytes } = summarizeWal(readFileSync(`${path}-wal`));
  if (committedFrames > 0) events.push({ type: 'recovered', committedFrames });
  if (tornBytes > 0) events.push({ type: 'torn_write_repaired', tornBytes });
}

function ownerPath(path: string): string {
  return `${path}.owner`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

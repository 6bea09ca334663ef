/**
 * The journal of the knowledge base: what it acknowledged survives a kill.
 *
 * Guarantees, numbered for tests:
 *   JN1  the promise of `append` resolves when the changes are on the disk (SQLite's write-ahead log, synced at every
 *       commit) of the file that lies at the journal's path; a commit is whole or not at all;
 *   JN2  whatever was appended is read back unchanged, any text of JavaScript included;
 *   JN3  an unreadable row is set aside, by name, and costs no other;
 *   JN4  one process has the journal: the operating system's lock says so, and ends with its holder.
 * Changes appended in one turn of the event loop share a commit. The tables hold the state, not its history, so only
 * the log needs compacting. Source: docs/decisions/0021-sqlite-journal.md, 0071-the-lock-of-a-journal.md.
 */
import { known } from '@mk/monitor-proto/assert';
import { asError } from '@mk/monitor-proto/thrown';
import { keysOf, tableOf } from '@mk/monitor-proto/tables';
import { handlerFor } from '@mk/monitor-proto/handlers';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import sqlite from 'node-sqlite3-wasm';
import type { Database, Statement } from 'node-sqlite3-wasm';
import type { JournalChange, JournalContents } from '../changes.ts';
import { keyOfChange } from '../changes.ts';
import { JOURNAL_LIMITS } from '../limits.ts';
import { type BadRow, readRows, type Row, TABLES, type TableName, VALUES } from '../rows.ts';
import { summarizeWal } from '../wal.ts';
import { FileLock, LockHeldError } from './file-lock.ts';
import { claimFormat } from './journal-format.ts';
import { lockPathOf } from './lock-path.ts';
import { mustBeFile } from './plain-file.ts';

/** What opening found or a repair did, for the log. */
export type JournalEvent =
  | { readonly type: 'recovered'; readonly committedFrames: number }
  | { readonly type: 'torn_write_repaired'; readonly tornBytes: number }
  | { readonly type: 'stale_lock_removed'; readonly holder: string }
  | { readonly type: 'compacted'; readonly freedBytes: number }
  | { readonly type: 'row_set_aside'; readonly table: TableName; readonly row: string; readonly reason: string };

/** The journal cannot be used; the SKB must not acknowledge anything. */
export class JournalError extends Error {}

const WHAT_TO_DO = 'put a copy of it back, or move it away to start afresh';
/** Enough of SQLite's message to identify the damage. */
const MOST_SAID = 200;

interface Pending {
  readonly changes: readonly JournalChange[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const SCHEMA = [
  ...Object.entries(TABLES).map(
    ([name, { columns }]) => `CREATE TABLE IF NOT EXISTS ${name} (${columns}) WITHOUT ROWID;`,
  ),
  'CREATE TABLE IF NOT EXISTS set_aside (id INTEGER PRIMARY KEY, source TEXT, row TEXT, reason TEXT, at TEXT);',
].join('\n');

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

export class SqliteJournal {
  readonly contents: JournalContents;
  /** What opening did, oldest first. */
  readonly events: readonly JournalEvent[];
  private readonly path: string;
  private readonly db: Database;
  private readonly statements: { readonly [T in JournalChange['type']]: Statement };
  private readonly lock: FileLock;
  /** A lock on the database itself: the lock file is found by name alone. */
  private readonly held: FileLock;
  private files: readonly string[];
  private pending: Pending[] = [];
  private scheduled = false;
  private failure: JournalError | undefined;
  private closed = false;

  /**
   * Opens or creates the journal at `path`; throws a `JournalError` if another process has it or it is damaged. `lock`
   * is the journal's own, if the process already has it; otherwise it is taken.
   */
  constructor(path: string, lock?: FileLock) {
    this.path = path;
    const events: JournalEvent[] = [];
    this.lock = lock ?? takeJournalLock(path);
    try {
      for (const file of [path, `${path}-wal`]) mustBeFile(file);
      this.held = FileLock.holdFile(path);
    } catch (error) {
      if (lock === undefined) this.lock.release();
      throw new JournalError(`the journal ${path} cannot be opened: ${messageOf(error)}`);
    }
    try {
      removeStaleLock(path, this.lock, events);
      noteRecovery(path, events);
      this.db = new sqlite.Database(path);
    } catch (error) {
      this.leave(lock !== undefined);
      throw new JournalError(`the journal ${path} cannot be opened: ${messageOf(error)}`);
    }
    try {
      configure(this.db);
      this.db.exec(SCHEMA);
      events.push(...compact(this.db));
      this.contents = readContents(this.db, events);
      this.statements = tableOf(keysOf(STATEMENTS), (type) => this.db.prepare(STATEMENTS[type]));
    } catch (error) {
      this.db.close();
      this.leave(lock !== undefined);
      throw new JournalError(`the journal ${path} cannot be read: ${messageOf(error)}; ${WHAT_TO_DO}`);
    }
    this.files = filesAt(path);
    this.events = events;
  }

  /** Throws a `JournalError` when the file at the path is no longer ours: it was deleted, moved or replaced. */
  checkPlace(): void {
    const files = filesAt(this.path);
    // The first write makes the log.
    const same = files.every((file, index) => file === this.files[index] || this.files[index] === 'none');
    if (!same || files[0] === 'none' || !this.lock.isInPlace)
      throw new JournalError('it was deleted or replaced under us');
    this.files = files;
  }

  /** Replaces all that the journal holds by these changes, in one commit. */
  replaceBy(changes: readonly JournalChange[]): void {
    this.transaction(() => {
      for (const table of Object.keys(TABLES)) this.db.exec(`DELETE FROM ${table}`);
      this.run(changes);
    });
  }

  /** Keeps the changes, in order; resolves when they are on disk. After one rejection, rejects for ever. */
  append(changes: readonly JournalChange[]): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.pending.push({ changes, resolve, reject });
      if (this.scheduled) return;
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        if (!this.closed) this.flush();
      });
    });
  }

  /** Commits pending changes now. */
  flush(): void {
    while (this.pending.length > 0) {
      const group = this.takeGroup();
      try {
        this.commit(group.flatMap((each) => each.changes));
      } catch (error) {
        this.fail(error, group);
        return;
      }
      for (const { resolve } of group) resolve();
    }
  }

  /** Commits pending changes and closes the file, releasing its lock unless `keepLock`. */
  close({ keepLock = false } = {}): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    try {
      for (const statement of Object.values(this.statements)) statement.finalize();
      this.db.close();
    } catch {
      // A failed disk loses only what was never acknowledged; all else is in the log.
    }
    this.leave(keepLock);
  }

  private leave(keepLock: boolean): void {
    this.held.release();
    if (!keepLock) this.lock.release();
  }

  private takeGroup(): readonly Pending[] {
    let changes = 0;
    let count = 0;
    while (count < this.pending.length && (count === 0 || changes < JOURNAL_LIMITS.maxBatch)) {
      changes += this.pending[count++]?.changes.length ?? 0;
    }
    return this.pending.splice(0, count);
  }

  private commit(changes: readonly JournalChange[]): void {
    const last = new Map(changes.map((change) => [keyOfChange(change), change]));
    if (last.size > 0) this.transaction(() => this.run(last.values()));
  }

  private run(changes: Iterable<JournalChange>): void {
    for (const change of changes) {
      this.statements[change.type].run(handlerFor(VALUES, change.type)(change));
    }
  }

  /** A commit into a file that nobody will find again is lost: check the place last (JN1). */
  private transaction(act: () => void): void {
    this.db.exec('BEGIN');
    act();
    this.db.exec('COMMIT');
    this.checkPlace();
  }

  /** The disk is full or broken: later changes would build on missing ones, so the journal accepts nothing more. */
  private fail(error: unknown, group: readonly Pending[]): void {
    this.failure = new JournalError(`the journal ${this.path} cannot be written: ${messageOf(error)}`);
    try {
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
    } catch {
      // the disk does not take that either; reopening will
    }
    for (const { reject } of [...group, ...this.pending.splice(0)]) reject(this.failure);
  }
}

function configure(db: Database): void {
  // Exclusive locking keeps the log's index in our memory: this build of SQLite has no shared memory.
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  claimFormat(db);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec(`PRAGMA wal_autocheckpoint = ${JOURNAL_LIMITS.checkpointPages}`);
  const verdict = db.get('PRAGMA quick_check')?.['quick_check'];
  if (verdict !== 'ok') throw new JournalError(`quick_check says ${String(verdict)}`);
}

function compact(db: Database): readonly JournalEvent[] {
  const number = (pragma: string): number => Number(Object.values(db.get(`PRAGMA ${pragma}`) ?? {})[0]);
  const free = number('freelist_count');
  if (free === 0 || free < number('page_count') * JOURNAL_LIMITS.vacuumShare) return [];
  db.exec('VACUUM');
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  return [{ type: 'compacted', freedBytes: free * number('page_size') }];
}

function readContents(db: Database, events: JournalEvent[]): JournalContents {
  const { contents, bad, instead } = readRows((table) => rowsOf(db, table, '*'));
  if (bad.length === 0) return contents;
  db.exec('BEGIN');
  events.push(...setAside(db, bad));
  for (const change of instead) db.run(STATEMENTS[change.type], handlerFor(VALUES, change.type)(change));
  db.exec('COMMIT');
  return contents;
}

function rowsOf(db: Database, table: TableName, columns: string): Row[] {
  return db.all(`SELECT ${columns} FROM ${table} ORDER BY ${TABLES[table].key.join(', ')}`) as Row[];
}

/**
 * Moves rows to where people find them (JN3). Keys are compared by bytes and type: text with a NUL or invalid UTF-8 is
 * read as other text, and a blob may hold the bytes of a text; either might be the key of an intact row.
 */
function setAside(db: Database, bad: readonly BadRow[]): readonly JournalEvent[] {
  const at = new Date().toISOString();
  const tables = [...new Set(bad.map(({ table }) => table))];
  for (const table of tables) {
    const key = TABLES[table].key.flatMap((column) => [`CAST(${column} AS BLOB)`, `typeof(${column})`]);
    const rows = rowsOf(db, table, key.map((each, i) => `${each} AS key${i}`).join(', '));
    const remove = `DELETE FROM ${table} WHERE ${key.map((each) => `${each} IS ?`).join(' AND ')}`;
    for (const { index } of bad.filter((row) => row.table === table))
      db.run(
        remove,
        key.map((_each, i) => known(rows[index])[`key${i}`] ?? null),
      );
  }
  return bad.map(({ table, row, reason }) => {
    const text = jsonOf(row);
    db.run('INSERT INTO set_aside (source, row, reason, at) VALUES (?, ?, ?, ?)', [table, text, reason, at]);
    return { type: 'row_set_aside', table, row: text.slice(0, JOURNAL_LIMITS.loggedRowChars), reason };
  });
}

function jsonOf(row: Row): string {
  return JSON.stringify(row, (_key, value: unknown) =>
    typeof value === 'bigint'
      ? String(value)
      : value instanceof Uint8Array
        ? Buffer.from(value).toString('base64')
        : value,
  );
}

/** The lock of the journal at `path`; throws a `JournalError`. */
export function takeJournalLock(path: string): FileLock {
  try {
    return FileLock.take(lockPathOf(path));
  } catch (error) {
    const text =
      error instanceof LockHeldError
        ? `${error.message} has the journal ${path}`
        : `the journal ${path} cannot be locked: ${messageOf(error)}`;
    throw new JournalError(text);
  }
}

/** SQLite's own lock in this build is a directory, which a kill leaves behind. Whoever holds our lock may remove it. */
function removeStaleLock(path: string, lock: FileLock, events: JournalEvent[]): void {
  const stale = `${path}.lock`;
  if (!existsSync(stale)) return;
  rmSync(stale, { recursive: true });
  events.push({ type: 'stale_lock_removed', holder: lock.before });
}

function noteRecovery(path: string, events: JournalEvent[]): void {
  if (!existsSync(`${path}-wal`)) return;
  const { committedFrames, tornBytes } = summarizeWal(readFileSync(`${path}-wal`));
  if (committedFrames > 0) events.push({ type: 'recovered', committedFrames });
  if (tornBytes > 0) events.push({ type: 'torn_write_repaired', tornBytes });
}

/** Identifies the files at the journal's paths: the database and its log. */
function filesAt(path: string): readonly string[] {
  return [path, `${path}-wal`].map((file) => {
    try {
      const { dev, ino } = statSync(file);
      return `${dev}:${ino}`;
    } catch {
      return 'none';
    }
  });
}

/** In one line: SQLite's check reports each page of a damaged database on a line of its own. */
function messageOf(error: unknown): string {
  const text = asError(error)
    .message.trim()
    .replace(/\s*\n\s*/g, ', ');
  return text.length > MOST_SAID ? `${text.slice(0, MOST_SAID)}…` : text;
}

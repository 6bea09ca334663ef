import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { causeOf } from '../journal/io/cause.ts';
import type { FileLock } from '../journal/io/file-lock.ts';
import { faultOfHead, HEAD_BYTES } from '../journal/io/journal-format.ts';
import { mustBeFile } from '../journal/io/plain-file.ts';
import { beginLife, keepLife, LIFE_FILE, nextLife } from './life-number.ts';

/** The SKB's hold on its data directory. */
export interface DataPlace {
  /** Null: nothing outlives the process. */
  readonly journalPath: string | null;
  /** Taken before anything is written; null if it cannot be, though nobody else has it. */
  readonly lock: FileLock | null;
  readonly life: number;
  /** Why the directory cannot be used now; nothing is acknowledged until it can. */
  readonly failure: string | null;
  /** Records the number of this life, if that failed at first or the directory was deleted since. */
  keepLife(): void;
}

const NONE: DataPlace = { journalPath: null, lock: null, life: 1, failure: null, keepLife: () => undefined };
const JOURNAL_FILE = 'journal.sqlite';
const MAGIC = 'SQLite format 3\0';
/**
 * How long to wait for an SKB that may be about to end: one whose launcher was killed notices, and closes its journal.
 */
const PATIENCE_MS = 3_000;
const RETRY_MS = 50;

/**
 * Takes the data directory for this process; throws a `LockHeldError` when another process has it. Any other fault may
 * pass, and is reported in `failure`.
 */
export async function claimDataDir(dataDir: string | undefined): Promise<DataPlace> {
  if (dataDir === undefined) return NONE;
  const journalPath = join(dataDir, JOURNAL_FILE);
  const path = join(dataDir, LIFE_FILE);
  let lock: FileLock | null = null;
  try {
    makeFolder(dataDir);
    lock = await patiently(() => takeLock(journalPath));
    const life = beginLife(dataDir);
    return { journalPath, lock, life, failure: whatLies(journalPath), keepLife: () => keepLife(path, life) };
  } catch (error) {
    if (asError(error).name === 'LockHeldError') throw error;
    const life = nextLife(dataDir);
    return {
      journalPath,
      lock, // a forgotten lock would lock us out for ever
      life,
      failure: `${dataDir}: ${causeOf(error)}`,
      keepLife: () => keepLife(path, life),
    };
  }
}

/** Loads the library of locks, which is native, only when there is something to lock. */
async function takeLock(journalPath: string): Promise<FileLock> {
  const [{ FileLock }, { lockPathOf }] = await Promise.all([
    import('../journal/io/file-lock.ts'),
    import('../journal/io/lock-path.ts'),
  ]);
  return FileLock.take(lockPathOf(journalPath));
}

async function patiently<T>(act: () => Promise<T>): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (asError(error).name !== 'LockHeldError' || performance.now() > end) throw error;
    }
    await pause(RETRY_MS);
  }
}

/** Reports a damaged journal at boot, long before it is read. */
function whatLies(journalPath: string): string | null {
  let descriptor: number;
  try {
    mustBeFile(journalPath);
    descriptor = openSync(journalPath, 'r');
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? null : `${journalPath}: ${causeOf(error)}`;
  }
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const bytes = readSync(descriptor, head, 0, head.length, 0);
    if (bytes === 0) return null;
    const fault =
      head.toString('latin1', 0, MAGIC.length) === MAGIC
        ? faultOfHead(head)
        : 'it is not a journal (not an SQLite file)';
    return fault === null ? null : `${journalPath}: ${fault}`;
  } catch (error) {
    return `${journalPath}: ${causeOf(error)}`;
  } finally {
    closeSync(descriptor);
  }
}

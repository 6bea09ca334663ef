import { codeOf } from '@mk/monitor-proto/thrown';
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const SECRET_BYTES = 32;
const POLL_MS = 50;
/** The errors of file systems without hard links. */
const LINKLESS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * The secret in a file. If there is no file, or an empty one that a full disk left, makes one that only this user can
 * read. It appears whole: of several makers one wins, and nobody reads half of it.
 */
export function readOrMakeSecret(file: string): string {
  const there = readIfThere(file);
  if (there !== '') return there;
  const own = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(own, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, { flag: 'wx', mode: 0o600, flush: true });
    if (!isPlacedAt(file, own) && readIfThere(file) === '') renameSync(own, file);
  } finally {
    rmSync(own, { force: true });
  }
  return readIfThere(file);
}

/** Gives a file its name if that is free; false: it is taken, or this file system has no hard links. */
function isPlacedAt(file: string, own: string): boolean {
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || LINKLESS.has(codeOf(error) ?? '')) return false;
    throw error;
  }
}

/** The secret in a file that another process makes; null if it does not appear in time. */
export async function waitForSecret(file: string, timeoutMs: number): Promise<string | null> {
  for (const end = performance.now() + timeoutMs; ; await pause(POLL_MS)) {
    const text = readIfThere(file);
    if (text !== '') return text;
    if (performance.now() >= end) return null;
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}

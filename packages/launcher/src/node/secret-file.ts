import { codeOf } from '@mk/monitor-proto/thrown';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const SECRET_BYTES = 32;
const POLL_MS = 50;

/** The secret in a file; if there is no file, makes one that only this user reads. */
export function readOrMakeSecret(file: string): string {
  try {
    // `wx` lets one of several makers win; the losers read what it wrote.
    writeFileSync(file, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8').trim();
}

/** The secret in a file that another process makes; null when it does not come in time. */
export async function waitForSecret(file: string, timeoutMs: number): Promise<string | null> {
  for (const end = Date.now() + timeoutMs; ; await pause(POLL_MS)) {
    const text = readIfThere(file);
    if (text !== '') return text;
    if (Date.now() >= end) return null;
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

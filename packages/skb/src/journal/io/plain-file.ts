import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Throws when something other than a file lies at the path: opening a pipe waits for its other end. */
export function mustBeFile(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) throw new Error(`${path} is no file`);
}

/** The text of a file of ours; throws where there is none, or no plain file. */
export function readPlainFile(path: string): string {
  mustBeFile(path);
  return readFileSync(path, 'utf8');
}

/** Replaces a file's text, whole or not at all, and on disk before it returns where the system can promise that. */
export function replacePlainFile(path: string, text: string, mode = 0o666): void {
  const draft = `${path}.new`;
  const descriptor = openSync(draft, 'w', mode);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, path);
  keepNames(dirname(path));
}

/**
 * A new name outlives a loss of power once its folder is synced. As in SQLite, a system that syncs no folders is no
 * failure.
 */
function keepNames(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Windows cannot open folders, and some network file systems cannot sync them.
  }
}

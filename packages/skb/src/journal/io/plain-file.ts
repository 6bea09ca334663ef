import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Throws when something else than a file lies at the path: whoever opens a pipe waits for its other end. */
export function mustBeFile(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) throw new Error(`${path} is no file`);
}

/** The text of a file of ours; throws where there is none, and for what is no file. */
export function readPlainFile(path: string): string {
  mustBeFile(path);
  return readFileSync(path, 'utf8');
}

/** Puts a text in the place of a file, whole or not at all, and on the disk before it returns where the system can promise that. */
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

/** A new name outlives a loss of power once its folder is synced. As with SQLite, a system that syncs no folders is no failure. */
function keepNames(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Windows opens none, and some network file systems sync none.
  }
}

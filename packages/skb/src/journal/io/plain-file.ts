import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Throws when the path holds something other than a file: opening a pipe waits for its other end. */
export function mustBeFile(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) throw new Error(`${path} is not a file`);
}

/** Reads one of our own files; throws if it is missing or is not a plain file. */
export function readPlainFile(path: string): string {
  mustBeFile(path);
  return readFileSync(path, 'utf8');
}

/** Replaces a file's text atomically, and durably where the system can promise that. */
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

/** A new name survives a loss of power once its folder is synced. Like SQLite, accepts systems that sync no folders. */
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

import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { failure, type Result, success } from '@mk/machine/result';

/** Writes a text file and the folders above it. */
export function writeText(path: string, text: string): void {
  makeFolder(dirname(path));
  writeFileSync(path, text);
}

/** A file's text, or one line that says why there is none. */
export function readTextFile(path: string): Result<string> {
  try {
    return success(readFileSync(path, 'utf8'));
  } catch (error) {
    return failure(`${path}: ${codeOf(error) === 'ENOENT' ? 'no such file' : asError(error).message}`);
  }
}

/** Milliseconds of wall time, for progress and rates; nothing simulated sees it. */
export function wallMs(): number {
  return performance.now();
}

export function rssBytes(): number {
  return process.memoryUsage().rss;
}

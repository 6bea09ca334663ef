import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError } from '@mk/monitor-proto/thrown';
import { accessSync, constants, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { visible } from '@mk/machine/one-line';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';

/** Writes a text file and makes its folders; the error is one line. */
export function writeText(path: string, text: string): Result<string, string> {
  return writing(path, () => writeFileSync(path, text));
}

/** Makes the folders of a file to be written later; the error is one line. */
export function writable(path: string): Result<string, string> {
  return writing(path, () => accessSync(dirname(path), constants.W_OK | constants.X_OK));
}

function writing(path: string, act: () => void): Result<string, string> {
  try {
    makeFolder(dirname(path));
    act();
    return succeed(path);
  } catch (error) {
    return refuse(`${visible(path)} cannot be written (${visible(asError(error).message)})`);
  }
}

/** Milliseconds of wall time, for progress and rates; nothing simulated sees it. */
export function wallMs(): number {
  return performance.now();
}

/** When a run began, for its report; nothing simulated sees it. */
export function wallTime(): Date {
  return new Date();
}

export function rssBytes(): number {
  return process.memoryUsage().rss;
}

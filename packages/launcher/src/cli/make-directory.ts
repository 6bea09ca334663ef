import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { accessSync, constants } from 'node:fs';
import { UsageError } from './usage-error.ts';

/** Makes a folder and its parents; a UsageError says in one line what it was for and why it failed. */
export function makeDirectory(path: string, what: string, mode = 0o777): void {
  try {
    makeFolder(path, mode);
  } catch (error) {
    throw new UsageError(`${what}: the folder ${path} cannot be made (${codeOf(error) ?? asError(error).message})`);
  }
}

/**
 * Makes a folder and checks that this user can write into it: a process that found out later could not tell its caller.
 */
export function makeWritable(path: string, what: string): void {
  makeDirectory(path, what);
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`${what}: the folder ${path} cannot be written into (${codeOf(error)})`);
  }
}

import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from './usage-error.ts';

/** Makes a folder and those above it. (`mkdirSync` with `recursive` never returns where /proc refuses a folder.) */
export function makeDirectory(path: string, what: string, mode = 0o777): void {
  try {
    make(path, mode);
  } catch (error) {
    throw new UsageError(`${what}: the folder ${path} cannot be made (${codeOf(error) ?? asError(error).message})`);
  }
}

/** Makes a folder, and makes sure that this user can write into it: a process that finds out later has nobody to tell. */
export function makeWritable(path: string, what: string): void {
  makeDirectory(path, what);
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`${what}: the folder ${path} cannot be written into (${codeOf(error)})`);
  }
}

function make(path: string, mode: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) make(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || statSync(path).isFile()) throw error;
  }
}

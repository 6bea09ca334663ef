import { accessSync, closeSync, constants, existsSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { asError } from '@mk/monitor-proto/thrown';
import { makeDirectory } from './make-directory.ts';
import { CommandError, UsageError } from './usage-error.ts';

/**
 * Checks, before the work begins, that the file that it will end in can be written, and makes the file's folder. What is
 * in the file stays, and none is made. A pipe is not opened: its reader would take the end of that for the end of all.
 */
export function checkOutput(option: string, file: string): void {
  makeDirectory(dirname(file), option);
  try {
    const isThere = existsSync(file);
    if (isThere && !statSync(file).isFile() && !statSync(file).isDirectory()) return accessSync(file, constants.W_OK);
    closeSync(openSync(file, 'a'));
    if (!isThere) rmSync(file);
  } catch (error) {
    throw new UsageError(`${option}: ${file} cannot be written (${asError(error).message})`);
  }
}

/** Writes what a command has made; a CommandError says in one line why it cannot, a full disk for one. */
export function writeOutput(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new CommandError(`${file} cannot be written: ${asError(error).message}`);
  }
}

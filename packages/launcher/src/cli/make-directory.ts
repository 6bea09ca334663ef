import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from './usage-error.ts';

/** Makes a folder and those above it. (`mkdirSync` with `recursive` never returns where /proc refuses a folder.) */
export function makeDirectory(path: string, what: string, mode = 0o777): void {
  try {
    make(path, mode);
  } catch (error) {
    throw new UsageError(
      `${what}: the folder ${path} cannot be made (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`,
    );
  }
}

function make(path: string, mode: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) make(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || statSync(path).isFile()) throw error;
  }
}

import { makeFolder } from '@mk/monitor-proto/io/folder';
import { isWhole } from '@mk/monitor-proto/guards';
import { codeOf } from '@mk/monitor-proto/thrown';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { MOST_LIVES } from '../registry/view-book.ts';
import { readPlainFile, replacePlainFile } from '../journal/io/plain-file.ts';

export const LIFE_FILE = 'life';
/** How many numbers a life that cannot be recorded may skip, so that the next one hardly draws the same. */
const SKIPPED = 64;

/**
 * Which life of the SKB on this data directory begins now: 1, 2, … Written before anybody registers, so that no later life
 * gives out the same incarnations (R2). After the last it begins again with 2; where the file is damaged it is a late one by
 * chance, above those of cores that may still be there (decision 0190). Without a directory nothing outlives the process: 1.
 */
export function beginLife(dataDir: string | undefined): number {
  if (dataDir === undefined) return 1;
  const path = join(dataDir, LIFE_FILE);
  const life = lifeAfter(lastLife(path));
  makeFolder(dataDir);
  replacePlainFile(path, `${life}\n`);
  return life;
}

/** A life that cannot be recorded now. A later one that cannot know of it draws the same number once in 64 times. */
export function nextLife(dataDir: string): number {
  return lifeAfter(lastLife(join(dataDir, LIFE_FILE)) + randomInt(SKIPPED));
}

/** Writes a life down where it is not: its file could not be written, or is gone. A higher one stays: its lives were, too. */
export function keepLife(path: string, life: number): void {
  const written = writtenLife(path);
  if (written === null || written < life) replacePlainFile(path, `${life}\n`);
}

/** Only a first life may begin a machine without cores that are expected. */
function lifeAfter(last: number): number {
  return last < MOST_LIVES ? last + 1 : 2;
}

function lastLife(path: string): number {
  return writtenLife(path) ?? randomInt(MOST_LIVES / 2, MOST_LIVES);
}

/** 0: none was written down. Null: what the file says is no life, or it cannot be read. */
function writtenLife(path: string): number | null {
  try {
    const life = Number(readPlainFile(path).trim());
    return isWhole(life, 1, MOST_LIVES) ? life : null;
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 0 : null;
  }
}

import { makeFolder } from '@mk/monitor-proto/io/folder';
import { isWhole } from '@mk/monitor-proto/guards';
import { codeOf } from '@mk/monitor-proto/thrown';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { MOST_LIVES } from '../registry/view-book.ts';
import { readPlainFile, replacePlainFile } from '../journal/io/plain-file.ts';

export const LIFE_FILE = 'life';
/** How many numbers an unrecorded life may skip, so that the next one is unlikely to draw the same. */
const SKIPPED = 64;

/**
 * The number of the life of the SKB that begins now on this data directory: 1, 2, … Recorded before anybody registers,
 * so that no later life assigns the same incarnations (R2). After the last number comes 2 again; a damaged file makes
 * it a random late one, above those of cores that may still run (decision 0190). Without a directory nothing outlives
 * the process: 1.
 */
export function beginLife(dataDir: string | undefined): number {
  if (dataDir === undefined) return 1;
  const path = join(dataDir, LIFE_FILE);
  const life = lifeAfter(lastLife(path));
  makeFolder(dataDir);
  replacePlainFile(path, `${life}\n`);
  return life;
}

/**
 * The number of a life that cannot be recorded now. A later one that cannot know of it draws the same number once in 64
 * times.
 */
export function nextLife(dataDir: string): number {
  return lifeAfter(lastLife(join(dataDir, LIFE_FILE)) + randomInt(SKIPPED));
}

/**
 * Records a life whose number is not on disk: it could not be written, or is gone. A higher number stays: those lives
 * existed, too.
 */
export function keepLife(path: string, life: number): void {
  const written = writtenLife(path);
  if (written === null || written < life) replacePlainFile(path, `${life}\n`);
}

/** Never 1 again: only a first life may begin a machine while expected cores are missing. */
function lifeAfter(last: number): number {
  return last < MOST_LIVES ? last + 1 : 2;
}

function lastLife(path: string): number {
  return writtenLife(path) ?? randomInt(MOST_LIVES / 2, MOST_LIVES);
}

/** 0: none was recorded. Null: the file holds no valid number, or cannot be read. */
function writtenLife(path: string): number | null {
  try {
    const life = Number(readPlainFile(path).trim());
    return isWhole(life, 1, MOST_LIVES) ? life : null;
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 0 : null;
  }
}

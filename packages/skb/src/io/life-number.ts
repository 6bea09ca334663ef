import { makeFolder } from '@mk/monitor-proto/io/folder';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { readPlainFile, replacePlainFile } from '../journal/io/plain-file.ts';

const FILE = 'life';
/** So many lives may be left out when one cannot be written down, so that the next one is hardly the same. */
const SKIPPED = 64;

/**
 * Which life of the SKB on this data directory begins now: 1, 2, … Written before anybody registers, so that no later life
 * gives out the same incarnations (R2). Without a directory nothing outlives the process: 1.
 */
export function beginLife(dataDir: string | undefined): number {
  if (dataDir === undefined) return 1;
  const path = join(dataDir, FILE);
  const life = lastLife(path) + 1;
  makeFolder(dataDir);
  keepLife(path, life);
  return life;
}

/** A life that cannot be written down now. A later one that cannot know of it draws the same number once in 64 times. */
export function nextLife(dataDir: string): number {
  return lastLife(join(dataDir, FILE)) + 1 + randomInt(SKIPPED);
}

/** Writes a life down, unless a later one is. */
export function keepLife(path: string, life: number): void {
  if (lastLife(path) >= life) return;
  replacePlainFile(path, `${life}\n`);
}

function lastLife(path: string): number {
  try {
    const life = Number(readPlainFile(path).trim());
    return Number.isSafeInteger(life) && life > 0 ? life : 0;
  } catch {
    return 0;
  }
}

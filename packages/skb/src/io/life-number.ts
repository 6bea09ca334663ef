import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'life';

/**
 * Which life of the SKB on this data directory begins now: 1, 2, … Written before anybody registers, so that no later life
 * gives out the same incarnations (R2). Without a directory nothing outlives the process: 1.
 */
export function beginLife(dataDir: string | undefined): number {
  if (dataDir === undefined) return 1;
  const path = join(dataDir, FILE);
  const life = lastLife(path) + 1;
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(`${path}.new`, `${life}\n`, { flush: true } as object);
  renameSync(`${path}.new`, path);
  return life;
}

function lastLife(path: string): number {
  try {
    const life = Number(readFileSync(path, 'utf8').trim());
    return Number.isSafeInteger(life) && life > 0 ? life : 0;
  } catch {
    return 0;
  }
}

import { isRecord } from '@mk/monitor-proto/guards';
import { join } from 'node:path';
import { readPlainFile, replacePlainFile } from '../journal/io/plain-file.ts';

/** A request that ended a life of the SKB. */
export interface PoisonedRequest {
  /** The request, as `requestText` writes it. */
  readonly request: string;
  readonly error: string;
  readonly at: string;
}

const FILE = 'poisoned.json';
/** As many as a person would read; the oldest goes first. */
const MOST_KEPT = 64;

/** The requests that earlier lives on this data directory recorded; none if the file cannot be read. */
export function poisonedRequests(dataDir: string | undefined): readonly PoisonedRequest[] {
  if (dataDir === undefined) return [];
  try {
    const rows: unknown = JSON.parse(readPlainFile(join(dataDir, FILE)));
    return Array.isArray(rows) ? rows.filter(isPoisoned) : [];
  } catch {
    return [];
  }
}

/** Records a request for later lives. Called by a process that is about to end: never throws. */
export function rememberPoisoned(dataDir: string | undefined, request: string, error: string): void {
  if (dataDir === undefined) return;
  const path = join(dataDir, FILE);
  const before = poisonedRequests(dataDir).filter((row) => row.request !== request);
  const rows = [...before, { request, error, at: new Date().toISOString() }].slice(-MOST_KEPT);
  try {
    replacePlainFile(path, `${JSON.stringify(rows, null, 2)}\n`, 0o600);
  } catch {
    // Perhaps the disk itself has failed; the next life can only try.
  }
}

function isPoisoned(row: unknown): row is PoisonedRequest {
  return isRecord(row) && typeof row['request'] === 'string';
}

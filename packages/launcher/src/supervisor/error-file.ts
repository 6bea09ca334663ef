/*
 * A detached process's file of errors. All lives of the process write into one; each begins with a line of its own, so that
 * nobody takes an earlier life's last words for those of a later one that said nothing.
 */
import { openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '@mk/monitor-proto/io/folder';

const BEGINS = 'mk: a process begins, ';

/** Opens it for a new life; null: nothing can be written. A log folder that somebody has deleted is made again. */
export function openErrors(file: string): number | null {
  try {
    makeFolder(dirname(file));
    const opened = openSync(file, 'a');
    writeSync(opened, `${BEGINS}${new Date().toISOString()}\n`);
    return opened;
  } catch {
    return null;
  }
}

/** Of its lines those of the last life. */
export function lastLifeOf(lines: readonly string[]): readonly string[] {
  return lines.slice(lines.findLastIndex((line) => line.startsWith(BEGINS)) + 1);
}

/*
 * The file of a detached process's errors. All lives of the process write into it, each beginning with a line of its
 * own, so that an earlier life's last words are not taken for those of a later life that said nothing.
 */
import { openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '@mk/monitor-proto/io/folder';

const BEGINS = 'mk: a process begins, ';

/** Opens it for a new life, making a deleted log folder again; null: nothing can be written. */
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

/** The lines of its last life. */
export function lastLifeOf(lines: readonly string[]): readonly string[] {
  return lines.slice(lines.findLastIndex((line) => line.startsWith(BEGINS)) + 1);
}

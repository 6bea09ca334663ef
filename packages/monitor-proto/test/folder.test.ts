import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '@mk/monitor-proto/io/folder';

let place: string;
beforeAll(() => void (place = mkdtempSync(join(tmpdir(), 'mk-folder-'))));
afterAll(() => rmSync(place, { recursive: true }));

describe('a folder is made', () => {
  test('with those above it, by its mode; once more is not an error', () => {
    const path = join(place, 'a', 'b');
    makeFolder(path, 0o700);
    makeFolder(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(place, 'a')).mode & 0o777).toBe(0o700);
  });

  test('or the file system’s error comes: a file in the way, a link to nowhere, /proc, which refuses', () => {
    writeFileSync(join(place, 'file'), '');
    symlinkSync(join(place, 'nowhere'), join(place, 'link'));
    const codes = [join(place, 'file'), join(place, 'file', 'x'), join(place, 'link'), '/proc/x', '/proc/x/y'].map(
      (path) => {
        try {
          makeFolder(path);
          return null;
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        }
      },
    );
    expect(codes).toEqual(['EEXIST', 'ENOTDIR', 'ENOENT', 'ENOENT', 'ENOENT']);
  });
});

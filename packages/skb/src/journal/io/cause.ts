import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const CAUSES: { readonly [code: string]: string } = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'it is not permitted',
  EPERM: 'it is not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'the folder does not exist',
  EEXIST: 'something else lies where the folder should be',
  ENOTDIR: 'part of the path is not a folder',
  EIO: 'the disk has failed',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
};

/** The least that one write of the journal takes: a page and its frame in the log. */
const PROBE_BYTES = 16_384;

/** An error of the file system in words, with its code. */
export function causeOf(error: unknown): string {
  const code = codeOf(error);
  const words = code !== undefined && Object.hasOwn(CAUSES, code) ? CAUSES[code] : undefined;
  return words === undefined ? asError(error).message : `${words} (${code})`;
}

/** Why a file and its neighbours cannot be written; null if they can. Makes their folder if it is missing. */
export function whyUnwritable(file: string): string | null {
  const path = `${file}.probe-${process.pid}`;
  try {
    makeFolder(dirname(file));
    if (existsSync(file)) closeSync(openSync(file, 'r+'));
    const descriptor = openSync(path, 'w', 0o600);
    try {
      const written = writeSync(descriptor, Buffer.alloc(PROBE_BYTES, 1));
      fsyncSync(descriptor);
      return written < PROBE_BYTES ? causeOf({ code: 'ENOSPC' }) : null;
    } finally {
      closeSync(descriptor);
      rmSync(path, { force: true });
    }
  } catch (error) {
    return causeOf(error);
  }
}

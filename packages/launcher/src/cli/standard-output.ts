/*
 * Handles the loss of a program's standard output. A closed pipe (`mkctl logs | head -1`) means that the reader has
 * enough: the program ends quietly, with 0. Unwritable output (a full disk) is reported once on stderr, and the program
 * ends with 1. A program in charge of a cluster carries on in both cases, to end it in order (`afterOutput`).
 */
import { asError } from '@mk/monitor-proto/thrown';
import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

const OUTPUT = 1;

/** Write errors in words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file has reached its size limit',
  EIO: 'the device reports an error',
  EBADF: 'it is not open for writing',
};

/** Called instead of ending the program when its reader has gone; null: the program ends at once. */
let readerGone: (() => void) | null = null;
let keepsRunning = false;
let lost = false;

/** Watches standard output for the rest of this process. Errors of standard error cannot be reported anywhere. */
export function guardStandardOutput(program: string): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => outputFailed(program, error));
  // Node's stream for files drops the rest of a partial write, and reports an error only after the next turn.
  if (isFile()) process.stdout.write = wholeWrites(program);
}

/** For a program with a cluster: calls `closed` when the reader has gone; the returned function stops that. */
export function afterOutput(closed: () => void): () => void {
  readerGone = closed;
  keepsRunning = true;
  return () => {
    readerGone = null;
  };
}

/** The exit status: `status`, or 1 if all went well but output was lost. */
export function statusWithOutput(status: number): number {
  return status === 0 && lost ? 1 : status;
}

function outputFailed(program: string, error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return readerGone === null ? process.exit(0) : readerGone();
  if (lost) return;
  lost = true;
  const reason = REASONS[error.code ?? ''] ?? error.message;
  process.stderr.write(`${program}: standard output cannot be written: ${reason} (${error.code})\n`);
  if (!keepsRunning) process.exit(1);
}

function isFile(): boolean {
  try {
    const stat = fstatSync(OUTPUT);
    return stat.isFile() || (stat.isCharacterDevice() && !isatty(OUTPUT));
  } catch {
    return false;
  }
}

type Done = (error?: Error | null) => void;

function wholeWrites(
  program: string,
): (chunk: Uint8Array | string, encoding?: BufferEncoding | Done, done?: Done) => boolean {
  return (chunk, encoding, done) => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(OUTPUT, bytes, at);
    } catch (error) {
      outputFailed(program, asError(error));
    }
    const tell = typeof encoding === 'function' ? encoding : done;
    if (tell !== undefined) process.nextTick(tell);
    return true;
  };
}

import { codeOf } from '../thrown.ts';
import { known } from '../assert.ts';
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { limit } from '../limits.ts';
import { callAfter, type LongTimer } from './long-timer.ts';

/** The world as an outlet sees it; tests bring their own. */
export interface OutletHost {
  /** Writes some of the bytes and returns how many; throws EAGAIN where it would block. */
  write(bytes: Uint8Array): number;
  /** There is room again after a refusal. */
  room(): void;
  /** A line could not be written: the disk is full, or the reader is gone. */
  failed(): void;
}

const WAITING_BYTES = limit('logWaitingBytes');
const RESERVE_BYTES = limit('logReserveBytes');
const RETRY_MS = { first: 5, longest: 250 } as const;

/**
 * Writes lines to a place that may or may not be read, and never waits for a reader.
 *
 * Guarantees: lines leave whole and in order; an admitted line leaves as soon as the reader takes it, at the latest at
 * the process's end if the reader still reads; only `drain` blocks, within its time limit. The caller counts the lines
 * that `admits` refuses.
 */
export class LogOutlet {
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private timer: LongTimer | null = null;
  private retryMs: number = RETRY_MS.first;
  private refused = false;
  /** A line broke off in the middle; the next one starts with a new line. */
  private torn = false;
  /** Nobody will ever read again. */
  private closed = false;

  constructor(private readonly host: OutletHost) {}

  hasRoom(important: boolean): boolean {
    return this.waitingBytes < WAITING_BYTES + (important ? RESERVE_BYTES : 0);
  }

  /** Whether there is room for a line; if not, `room` is called as soon as there is. */
  admits(important: boolean): boolean {
    const room = this.hasRoom(important);
    if (!room) this.refused = true;
    return room;
  }

  write(line: string): void {
    if (this.closed) return this.host.failed();
    const bytes = Buffer.from(line);
    if (this.waiting.length === 0) this.put(bytes);
    else this.keep(bytes);
  }

  /** Writes the waiting lines, for at most so long; for a process that is about to end. */
  drain(patienceMs: number): void {
    const until = performance.now() + patienceMs;
    while (!this.pump() && performance.now() < until) Atomics.wait(SLEEP, 0, 0, 2);
  }

  /** The number of waiting lines. */
  get backlog(): number {
    return this.waiting.length;
  }

  private put(bytes: Uint8Array): void {
    const rest = this.send(bytes);
    if (rest !== null) this.keep(rest);
  }

  private keep(bytes: Uint8Array): void {
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    if (this.timer !== null) return;
    this.retryLater();
  }

  private retryLater(): void {
    this.timer = callAfter(this.retryMs, () => this.retry()).unref();
  }

  private retry(): void {
    this.timer = null;
    const before = this.waitingBytes;
    const empty = this.pump();
    this.retryMs = this.waitingBytes < before ? RETRY_MS.first : Math.min(RETRY_MS.longest, 2 * this.retryMs);
    if (!empty) this.retryLater();
    if (!this.refused || this.waitingBytes >= WAITING_BYTES) return;
    this.refused = false;
    this.host.room();
  }

  /** Writes waiting lines as far as the reader takes them; returns whether none is left. */
  private pump(): boolean {
    let sent = 0;
    for (; sent < this.waiting.length; sent++) {
      const bytes = known(this.waiting[sent]);
      const rest = this.send(bytes);
      this.waitingBytes -= bytes.length - (rest?.length ?? 0);
      if (rest === null) continue;
      this.waiting[sent] = rest;
      break;
    }
    this.waiting.splice(0, sent);
    return this.waiting.length === 0;
  }

  /**
   * Writes a line and returns the rest that has to wait; null when nothing has, because all was written or nothing can
   * be.
   */
  private send(bytes: Uint8Array): Uint8Array | null {
    let rest = this.torn ? Buffer.concat([NEW_LINE, bytes]) : bytes;
    try {
      while (rest.length > 0) {
        rest = rest.subarray(this.host.write(rest));
        this.torn = false;
      }
      return null;
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return rest;
      this.torn ||= rest.length < bytes.length;
      this.closed ||= codeOf(error) === 'EPIPE';
      this.host.failed();
      return null;
    }
  }
}

const NEW_LINE = Buffer.from('\n');
const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/** A writer for a file descriptor that never waits for a reader. */
export function nonBlockingWriter(fd: number): OutletHost['write'] {
  const own = unblocked(fd);
  return (bytes) => writeSync(own, bytes);
}

/**
 * Reopens a pipe or a terminal, since O_NONBLOCK belongs to the open file, which others may share. A socket cannot be
 * reopened; the one that a parent made for this process alone is switched.
 */
function unblocked(fd: number): number {
  const kind = fstatSync(fd);
  // creating a stream over a socket makes it non-blocking; the stream itself is never written to
  if (kind.isSocket() && fd === 1) void process.stdout;
  if (!kind.isFIFO() && !kind.isCharacterDevice()) return fd;
  try {
    const own = openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    if (fstatSync(own).ino === kind.ino) return own;
    closeSync(own);
  } catch {
    // left as it is: another user's terminal
  }
  return fd;
}

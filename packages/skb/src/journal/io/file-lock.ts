/**
 * An exclusive lock that the operating system keeps on an open file: it ends with its holder, however that ends, and
 * holds between containers that share a volume. A pid in a file is not a lock: another pid namespace, a reboot, or any
 * later process with that number makes it a lie.
 *
 * Linux: open file description locks (`fcntl(2)`, F_OFD_SETLK), macOS: `flock`, Windows: `LockFileEx`. Source:
 * docs/decisions/0071-the-lock-of-a-journal.md.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { tryLock } from 'fs-native-extensions';
import { readPlainFile } from './plain-file.ts';

/** Another process holds the lock; the message says who last wrote into the file. */
export class LockHeldError extends Error {
  override readonly name = 'LockHeldError';
}

export class FileLock {
  private constructor(
    readonly path: string,
    private readonly descriptor: number,
    /** The text that the file held before: its last holder, if that could write. */
    readonly before: string,
  ) {}

  /** Opens or creates the file and locks it; throws a `LockHeldError`, or an error of the file system. */
  static take(path: string): FileLock {
    for (;;) {
      const descriptor = openSync(path, 'a+', 0o600);
      try {
        const before = readPlainFile(path).trim();
        if (!tryLock(descriptor)) throw new LockHeldError(before === '' ? 'another process' : before);
        const lock = new FileLock(path, descriptor, before);
        // The file may have been replaced between opening and locking it.
        if (lock.isInPlace) return lock.signed();
      } catch (error) {
        closeSync(descriptor);
        throw error;
      }
      closeSync(descriptor);
    }
  }

  /**
   * Locks a file that is more than a lock, and leaves its contents alone: a process that reaches it by another name, a
   * hard link, finds it taken. On Windows such a lock would block its owner's other descriptors; there the lock beside
   * it must do.
   */
  static holdFile(path: string): FileLock {
    const descriptor = openSync(path, 'a');
    try {
      if (process.platform !== 'win32' && !tryLock(descriptor))
        throw new LockHeldError('another process has it by another name, a hard link');
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return new FileLock(path, descriptor, '');
  }

  /** Whether the file at the path is still the one that is locked: a folder can be deleted under us. */
  get isInPlace(): boolean {
    try {
      const [here, there] = [fstatSync(this.descriptor), statSync(this.path)];
      return here.ino === there.ino && here.dev === there.dev;
    } catch {
      return false;
    }
  }

  /** The file stays: deleting it could delete one that another process has locked meanwhile. */
  release(): void {
    closeSync(this.descriptor);
  }

  /** For people who read the file; a full disk does not weaken the lock. */
  private signed(): this {
    try {
      ftruncateSync(this.descriptor, 0);
      writeSync(this.descriptor, `process ${process.pid} on ${hostname()}\n`);
    } catch {
      // nothing depends on it
    }
    return this;
  }
}

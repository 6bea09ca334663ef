import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { lastLifeOf } from './error-file.ts';
import { isRunning, type ProcessIdentity, signal } from '@mk/libmk/io/process-identity';
import type { BodyEvents, ProcessBody } from './process-body.ts';

/** Pause between two checks that it still runs; a check reads `/proc`, some 10 µs. */
const LOOK_MS = 50;
/** How much of the end of its stderr is read when it has ended. */
const LAST_ERRORS_BYTES = 8192;

/**
 * A process that an earlier supervisor started, and that is not a child of this one. It is known by its number and
 * start time, and signals go to exactly that process. It cannot talk to us, and the system does not report how it ends.
 */
export class AdoptedBody implements ProcessBody {
  constructor(
    readonly identity: ProcessIdentity,
    /** Where its stderr goes. */
    private readonly errorFile: string | null,
    /** For a process that had already ended. */
    private readonly how = 'unknown how: an earlier supervisor had started it',
  ) {}

  listen(events: BodyEvents): void {
    const look = (): void => {
      if (isRunning(this.identity)) return;
      clearInterval(timer);
      for (const line of lastLines(this.errorFile)) events.errorLine(line);
      events.ended(this.how);
    };
    const timer = setInterval(look, LOOK_MS);
    setImmediate(look);
  }

  /** Its channel ended with the supervisor that started it. */
  tell(): void {
    // nobody listens
  }

  signal(name: NodeJS.Signals): void {
    signal(this.identity, name);
  }
}

function lastLines(file: string | null): readonly string[] {
  if (file === null) return [];
  try {
    const opened = openSync(file, 'r');
    try {
      const { size } = fstatSync(opened);
      const bytes = Buffer.alloc(Math.min(size, LAST_ERRORS_BYTES));
      const read = readSync(opened, bytes, 0, bytes.length, size - bytes.length);
      return lastLifeOf(bytes.toString('utf8', 0, read).split('\n'));
    } catch {
      return [];
    } finally {
      closeSync(opened);
    }
  } catch {
    return []; // it has written nothing
  }
}

import { known } from '../assert.ts';
import type { ControlReply, ControlRequest } from '../step.ts';
import { limit } from '../limits.ts';

const KEPT = limit('logLinesKept');
const KEPT_CHARACTERS = limit('logCharactersKept');
/** Most lines in one answer: a page draws no more at once. */
export const LOG_LINES_AT_ONCE = 1000;

/** A process's answer to the verb `log_lines`. */
export interface LogLinesAnswer {
  /** Which life of the process answers; line numbers of another life mean nothing. */
  readonly life: string;
  readonly lines: readonly string[];
  /** The number to pass as `from` next. */
  readonly next: number;
  /** Requested lines that are no longer kept. */
  readonly lost: number;
}

/**
 * A process's last log lines, served over its control port: a container engine keeps the output of its processes out of
 * mkctl's reach. Keeps as much as `logLinesKept` and `logCharactersKept` allow; the oldest go first.
 */
export class KeptLines {
  private readonly lines: string[] = [];
  /** How many lines have been dropped. */
  private gone = 0;
  private characters = 0;
  private readonly life = `${process.pid}.${Date.now()}`;

  /** Keeps a line: a logger's sink that always has room. */
  readonly write = (bytes: Uint8Array): number => {
    const line = Buffer.from(bytes).toString().trimEnd();
    this.lines.push(line);
    this.characters += line.length;
    if (this.lines.length >= 2 * KEPT || this.characters >= 2 * KEPT_CHARACTERS) this.forget();
    return bytes.length;
  };

  /** Drops the oldest lines beyond the limits. */
  private forget(): void {
    let count = 0;
    while (this.lines.length - count > KEPT || this.characters > KEPT_CHARACTERS)
      this.characters -= known(this.lines[count++]).length;
    this.lines.splice(0, count);
    this.gone += count;
  }

  /** Serves the verb `log_lines`, from the line of this number on; null for any other verb. */
  control({ verb, args: { from } }: ControlRequest): ControlReply | null {
    if (verb !== 'log_lines') return null;
    if (typeof from !== 'number' || !Number.isSafeInteger(from) || from < 0)
      return {
        ok: false,
        error: 'BAD_REQUEST',
        text: 'log_lines: from must be a whole number: 0, or the last answer’s next',
      };
    const { life, gone } = this;
    const first = Math.max(from, gone);
    const lines = this.lines.slice(first - gone, first - gone + LOG_LINES_AT_ONCE);
    const value: LogLinesAnswer = { life, lines, next: first + lines.length, lost: first - from };
    return { ok: true, value };
  }
}

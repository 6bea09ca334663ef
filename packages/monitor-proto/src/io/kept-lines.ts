import { known } from '../assert.ts';
import type { ControlReply, ControlRequest } from '../step.ts';
import { limit } from '../limits.ts';

const KEPT = limit('logLinesKept');
const KEPT_CHARACTERS = limit('logCharactersKept');
/** Lines in one answer at most: a page draws no more at once. */
export const LOG_LINES_AT_ONCE = 1000;

/** What a process answers to the verb `log_lines`. */
export interface LogLinesAnswer {
  /** Which life of the process answers: another life's line numbers mean nothing. */
  readonly life: string;
  readonly lines: readonly string[];
  /** The number to ask from next. */
  readonly next: number;
  /** Lines from the requested number on that are no longer kept. */
  readonly lost: number;
}

/**
 * The last log lines of a process, served over its control port: for processes whose output an engine keeps, out of
 * mkctl's reach. Keeps what `logLinesKept` and `logCharactersKept` allow; the oldest go first.
 */
export class KeptLines {
  private readonly lines: string[] = [];
  /** Lines before those that are kept. */
  private gone = 0;
  private characters = 0;
  private readonly life = `${process.pid}.${Date.now()}`;

  /** Takes a line; a logger's sink that always has room. */
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

  /** The verb `log_lines`, from the line of this number on; null: another verb. */
  control({ verb, args: { from } }: ControlRequest): ControlReply | null {
    if (verb !== 'log_lines') return null;
    if (typeof from !== 'number' || !Number.isSafeInteger(from) || from < 0)
      return {
        ok: false,
        error: 'BAD_REQUEST',
        text: 'log_lines: from is a whole number, the next of the last answer or 0',
      };
    const { life, gone } = this;
    const first = Math.max(from, gone);
    const lines = this.lines.slice(first - gone, first - gone + LOG_LINES_AT_ONCE);
    const value: LogLinesAnswer = { life, lines, next: first + lines.length, lost: first - from };
    return { ok: true, value };
  }
}

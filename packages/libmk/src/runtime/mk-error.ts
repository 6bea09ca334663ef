import { ERRORS, isErrorName, isWorthRetrying } from '@mk/monitor-proto/errors';

/**
 * Every error that libmk gives a program. `name` is a name of the error table (docs/reference/errors.md) or one that an
 * interface declares; the message says what was asked and what to do.
 *
 * @example
 * try { await kv.put({ key, value }); } catch (error) { if (isMkError(error, 'BUSY')) await kv.$writable(); else throw error; }
 */
export class MkError extends Error {
  override readonly name: string;

  constructor(name: string, text: string) {
    super(text === '' ? name : `${name}: ${text}`);
    this.name = name;
  }

  /** The call certainly did not happen. An error that an interface declares is an answer, and so definite. */
  get definite(): boolean {
    return isErrorName(this.name) ? ERRORS[this.name].definite : true;
  }

  /** The same call may succeed a little later. */
  get worthRetrying(): boolean {
    return isErrorName(this.name) && isWorthRetrying(this.name);
  }

  /** The message without its leading name. */
  get text(): string {
    return this.message.startsWith(`${this.name}: `) ? this.message.slice(this.name.length + 2) : '';
  }

  /** The message, which already begins with the name. */
  override toString(): string {
    return this.message;
  }
}

/** Whether something thrown is an `MkError`, of this name if one is given. */
export function isMkError(error: unknown, name?: string): error is MkError {
  try {
    return error instanceof MkError && (name === undefined || error.name === name);
  } catch {
    return false; // a proxy whose trap throws
  }
}

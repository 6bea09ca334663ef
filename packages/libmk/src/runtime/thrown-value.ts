import { formatLine } from './format.ts';

/** A thrown value that is not an Error, or cannot be read as one: a program may throw anything. */
export class ThrownValue extends Error {
  override readonly name = 'ThrownValue';

  constructor(
    message: string,
    /** As a person reads it. */
    readonly shown: string,
  ) {
    super(message);
    this.stack = message; // its frames would be ours
  }
}

/** Turns any thrown value into an Error that can be read, whatever traps and getters it has. */
export function errorOf(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) {
      for (const part of [thrown.name, thrown.message, thrown.stack]) void String(part);
      return thrown;
    }
  } catch {
    return new ThrownValue('an error that cannot be read', 'an error that cannot be read');
  }
  const shown = formatLine([thrown]);
  return new ThrownValue(typeof thrown === 'string' ? thrown : shown, JSON.stringify(shown));
}

/** The lines of a stack trace that name places. */
export function framesOf(stack = ''): readonly string[] {
  return stack.split('\n').filter((line) => /^\s+at /.test(line));
}

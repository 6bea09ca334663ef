import type { InvariantName } from './invariants/table.ts';

/**
 * Something that cannot be was so: a bug of ours, and nothing that follows can be trusted. Whoever hosts the state machine
 * ends the process with the name, a dump of its state, and exit status 70 (`EX_SOFTWARE` of sysexits.h). Never caught
 * to go on.
 */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';

  constructor(
    /** The number of the invariant, or null when the assertion has none. */
    readonly invariant: InvariantName | null,
    text: string,
  ) {
    super(invariant === null ? text : `${invariant}: ${text}`);
  }
}

/** The exit status of a process that ends by an AssertionFailure. */
export const ASSERTION_EXIT_STATUS = 70;

/** Ends the process when the condition does not hold; `text` says what is wrong then. */
export function assert(condition: unknown, text: string): asserts condition {
  if (!condition) throw new AssertionFailure(null, text);
}

/**
 * The value, which our own code knows to be there: an element within bounds, the entry of a map that was filled before. Ends the
 * process when it is not. In code that runs for every message or every byte `!` stays, with the proof beside it.
 */
export function known<T>(value: T | undefined | null, what = 'a value'): T {
  if (value === undefined || value === null) throw new AssertionFailure(null, `${what} that must be there is missing`);
  return value;
}

/** As `assert`, for an invariant of the table; `text` says what was found, and is made only then. */
export function assertInvariant(invariant: InvariantName, condition: unknown, text: () => string): asserts condition {
  if (!condition) throw new AssertionFailure(invariant, text());
}

/** The state of a machine whose invariants are broken, for the log: its description may fail as well. */
export function dumpOf(describe: () => unknown): unknown {
  try {
    return describe() ?? null;
  } catch (error) {
    return `it cannot be described: ${String(error)}`;
  }
}

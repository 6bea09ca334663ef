import type { InvariantName } from './invariants/table.ts';

/**
 * A bug of ours, after which no state can be trusted. The host of the state machine ends the process with the
 * assertion's name, a dump of its state and exit status 70 (`EX_SOFTWARE` of sysexits.h). Never catch it to carry on.
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

/** The exit status of a process that an AssertionFailure ends. */
export const ASSERTION_EXIT_STATUS = 70;

/** Throws an AssertionFailure, which ends the process, when the condition does not hold; `text` says what is wrong. */
export function assert(condition: unknown, text: string): asserts condition {
  if (!condition) throw new AssertionFailure(null, text);
}

/**
 * Returns a value that our own code knows to be there: an element within bounds, an entry filled earlier. Throws an
 * AssertionFailure when it is missing. Code that runs for every message or byte keeps `!`, with the proof beside it.
 */
export function known<T>(value: T | undefined | null, what = 'a value'): T {
  if (value === undefined || value === null) throw new AssertionFailure(null, `${what} is missing`);
  return value;
}

/** Like `assert`, for an invariant of the table; `text` describes the breach and runs only on failure. */
export function assertInvariant(invariant: InvariantName, condition: unknown, text: () => string): asserts condition {
  if (!condition) throw new AssertionFailure(invariant, text());
}

/** Describes a machine whose invariants are broken, for the log; the description itself may fail. */
export function dumpOf(describe: () => unknown): unknown {
  try {
    return describe() ?? null;
  } catch (error) {
    return `it cannot be described: ${String(error)}`;
  }
}

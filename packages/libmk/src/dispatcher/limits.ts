/** Bounds of the border between a dispatcher and its CPU driver. */
export const BORDER_LIMITS = {
  /** A CPU driver serves one turn's calls for a few milliseconds at most; the rest wait for the next turn. */
  callsPerTurn: 256,
  /** Bytes of one turn’s system calls, encoded: decoded in one go, in about a millisecond. */
  turnBytes: 256 << 10,
  /** A dispatcher that was away for long takes what waits in several turns and can be asked to yield between. */
  upcallsPerTurn: 256,
  /** Levels of a value: arguments are records of lists of records; deeper input is an attack on the decoder’s stack. */
  valueNesting: 32,
  /** Bytes of the memory through which a blocked caller is answered. */
  callNowBytes: 64 << 10,
  /** Characters of one line of output, a mark where it was cut included: a log line stays readable, and one that is printed while the program loads fits `callNowBytes`. */
  lineCharacters: 8192,
  /** Bytes of the heap that one built-in may take at once: V8 cannot stop it, and far beyond the heap’s limit it ends the core’s process. */
  heapRequestBytes: 16 << 20,
  /** Frames that a dispatcher keeps by their number, so that a page that comes back is named and not handed over again. */
  framesHeld: 128,
} as const;

/** The value of a bound of the border. */
export function borderLimit(name: keyof typeof BORDER_LIMITS): number {
  return BORDER_LIMITS[name];
}

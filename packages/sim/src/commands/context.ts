import type { SimTerminal } from '../io/terminal.ts';

/** The surroundings of a scenario of the command line. */
export interface CommandContext {
  readonly terminal: SimTerminal;
  readonly machinesDirectory: string;
  /** The program of `run`. */
  readonly program: SimProgram | null;
}

/** A program that the launcher has prepared. */
export interface SimProgram {
  readonly name: string;
  readonly text: string;
  /** The text that a context evaluates first. */
  readonly contextText: string;
  /** `each`: a domain on each core, of `--on` or all; `one`: on the first of them; `named`: on each of `--on`, or on the first. */
  readonly domains: 'each' | 'one' | 'named';
  /** Without arguments it waits for lines from the keyboard. */
  readonly asksForLines?: boolean;
  /** The exit status by which it says that its arguments are wrong; of a user's program nothing is known. */
  readonly wrongArguments?: number;
  /** Replaces places in the bundle by places in its source files. */
  inSources(text: string): string;
}

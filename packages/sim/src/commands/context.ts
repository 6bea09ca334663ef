import type { SimTerminal } from '../io/terminal.ts';

/** What a scenario of the command line works with. */
export interface CommandContext {
  readonly terminal: SimTerminal;
  readonly machinesDirectory: string;
  /** What `run` runs. */
  readonly program: SimProgram | null;
}

/** A program as the launcher has made it ready. */
export interface SimProgram {
  readonly name: string;
  readonly text: string;
  /** What is evaluated in a context first. */
  readonly contextText: string;
  /** `each`: a domain on each core, of `--on` or all; `one`: on the first of them; `named`: on each of `--on`, or on the first. */
  readonly domains: 'each' | 'one' | 'named';
  /** Without arguments it waits for lines that somebody types. */
  readonly asksForLines?: boolean;
  /** A text with places of the bundle told as places of the files that it was made of. */
  inSources(text: string): string;
}

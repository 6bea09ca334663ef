import type { SimTerminal } from '../io/terminal.ts';

/** What a scenario of the command line works with. */
export interface CommandContext {
  readonly terminal: SimTerminal;
  readonly machinesDirectory: string;
}

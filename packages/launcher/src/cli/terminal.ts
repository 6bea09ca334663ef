import picocolors from 'picocolors';

/** Where a command writes: to people on a terminal, or to machines. */
export interface Terminal {
  /** Stdout is a terminal with a person at it: colour and progress make sense. */
  readonly interactive: boolean;
  readonly columns: number;
  readonly colour: ReturnType<typeof picocolors.createColors>;
  out(text: string): void;
  error(text: string): void;
}

/** This process's terminal. `NO_COLOR` and `TERM=dumb` switch colour off. */
export function processTerminal(): Terminal {
  const tty = process.stdout.isTTY === true;
  const plain = (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb';
  return {
    interactive: tty,
    columns: Math.max(60, process.stdout.columns ?? 100),
    colour: picocolors.createColors(tty && !plain),
    out: (text) => void process.stdout.write(`${text}\n`),
    error: (text) => void process.stderr.write(`${text}\n`),
  };
}

/** Where the command writes; tests provide their own. */
export interface SimTerminal {
  readonly interactive: boolean;
  out(text: string): void;
  error(text: string): void;
  /** A line that the next one replaces; nothing without a terminal. */
  progress(text: string): void;
}

export function simTerminal(): SimTerminal {
  const interactive = process.stderr.isTTY === true;
  return {
    interactive,
    out: (text) => void process.stdout.write(`${text}\n`),
    error: (text) => void process.stderr.write(`${text}\n`),
    progress: (text) => {
      if (interactive) process.stderr.write(`\r\x1b[K${text}`);
    },
  };
}

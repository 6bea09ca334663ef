import { formatLine } from './format.ts';

/** Lines of output, logged with the domain and the core. */
export interface MkConsole {
  log(...values: readonly unknown[]): void;
  info(...values: readonly unknown[]): void;
  warn(...values: readonly unknown[]): void;
  error(...values: readonly unknown[]): void;
  debug(...values: readonly unknown[]): void;
}

/** A console that passes its lines to `print`; `warn` and `error` go to `err`. */
export function consoleOf(print: (text: string, stream: 'out' | 'err') => void): MkConsole {
  const out = (...values: readonly unknown[]): void => print(formatLine(values), 'out');
  const err = (...values: readonly unknown[]): void => print(formatLine(values), 'err');
  return { log: out, info: out, debug: out, warn: err, error: err };
}

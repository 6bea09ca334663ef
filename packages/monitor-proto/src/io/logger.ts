import { openSync } from 'node:fs';
import { buildLogLine, levelOf, messageOf, type LogSource } from '../log-line.ts';
import type { LogEventName, LogFields, LogLevel } from '../log-events.ts';
import type { MetricFamily } from '../metrics.ts';
import type { KeptLines } from './kept-lines.ts';
import { LogOutlet, nonBlockingWriter, type OutletHost } from './log-outlet.ts';

/** Writes log lines. They wait in memory until `load` has loaded pino, so that boot does not pay for it. */
export interface Logger {
  source: LogSource;
  write(event: LogEventName, lamport: number, fields: LogFields): void;
  /** Loads the logging library and writes the lines that waited. */
  load(): Promise<void>;
  /** Writes all waiting lines, for a quarter of a second at most: for a process that is about to end. */
  flushNow(): void;
  /** Counts of lines that no reader took. */
  metrics(): readonly MetricFamily[];
}

interface Waiting {
  readonly level: LogLevel;
  readonly time: number;
  readonly line: object;
  readonly msg: string;
}

type Sink = { readonly [L in LogLevel]: (line: object, msg: string) => void };

/**
 * Lines that may wait for the logging library: as many as a boot at level debug writes, and a bound in case the library
 * never loads.
 */
const MAX_WAITING_LINES = 50_000;
const FLUSH_MS = 250;
const TELL_AGAIN_MS = 1000;

/** Writes lines to stdout, to a file if one is named, and to memory if they are to be kept. */
export function createLogger(source: LogSource, logFile: string | null, kept: KeptLines | null = null): Logger {
  const sinks = {
    stdout: nonBlockingWriter(1),
    ...(logFile !== null && { file: nonBlockingWriter(openSync(logFile, 'a')) }),
    ...(kept !== null && { kept: kept.write }),
  };
  return new PipeLogger(source, sinks);
}

/**
 * A logger that never waits for its readers. Every line increments `seq`, written or not, so a gap in a sink shows what
 * was lost there; `log_lines_dropped` follows the gap and gives the number.
 */
export class PipeLogger implements Logger {
  source: LogSource;
  private sequence = 0;
  private sink: Sink | null = null;
  private waiting: Waiting[] = [];
  private readonly outlets: readonly Outlet[];
  /** The outlets that take the current line. */
  private taking: readonly Outlet[] = [];

  constructor(source: LogSource, sinks: Readonly<Record<string, OutletHost['write']>>) {
    this.source = source;
    this.outlets = Object.entries(sinks).map(([name, write]) => {
      return new Outlet(name, write, () => this.tellDropped(false));
    });
  }

  readonly write = (event: LogEventName, lamport: number, fields: LogFields): void => {
    if (this.sink !== null) this.tellDropped(isImportant(levelOf(event)));
    this.put(event, lamport, fields);
  };

  readonly load = async (): Promise<void> => {
    if (this.sink !== null) return;
    const { pino } = await import('pino');
    const options = { base: null, level: 'debug', formatters: { level: (label: string) => ({ level: label }) } };
    const library = pino(options, { write: (text) => this.taking.forEach((outlet) => outlet.lines.write(text)) });
    this.writeWaiting();
    this.sink = {
      debug: (line, msg) => library.debug(line, msg),
      info: (line, msg) => library.info(line, msg),
      warn: (line, msg) => library.warn(line, msg),
      error: (line, msg) => library.error(line, msg),
    };
  };

  readonly flushNow = (): void => {
    this.writeWaiting();
    const until = performance.now() + FLUSH_MS;
    for (const { lines } of this.outlets) lines.drain(until - performance.now());
  };

  readonly metrics = (): readonly MetricFamily[] => [
    {
      name: 'mk_log_lines_dropped_total',
      type: 'counter',
      help: 'Log lines lost because their reader did not read or the disk was full.',
      samples: this.outlets.map(({ name, dropped }) => ({ labels: { sink: name }, value: dropped })),
    },
  ];

  private put(event: LogEventName, lamport: number, fields: LogFields): void {
    this.sequence += 1;
    const level = levelOf(event);
    if (this.sink === null) return this.keep(event, level, lamport, fields);
    this.taking = this.outletsFor(level);
    if (this.taking.length === 0) return;
    this.sink[level](buildLogLine(this.source, event, this.sequence, lamport, fields), messageOf(event));
  }

  private keep(event: LogEventName, level: LogLevel, lamport: number, fields: LogFields): void {
    if (this.waiting.length >= MAX_WAITING_LINES) return this.outlets.forEach((outlet) => outlet.drop());
    const line = buildLogLine(this.source, event, this.sequence, lamport, fields);
    this.waiting.push({ level, time: Date.now(), line, msg: messageOf(event) });
  }

  private writeWaiting(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const { level, time, line, msg } of waiting) {
      const text = `${JSON.stringify({ level, time, ...line, msg })}\n`;
      for (const { lines } of this.outlets) lines.write(text);
    }
  }

  private outletsFor(level: LogLevel): readonly Outlet[] {
    return this.outlets.filter((outlet) => outlet.admits(isImportant(level)));
  }

  /** Reports losses wherever the next line will be written. */
  private tellDropped(important: boolean): void {
    for (const outlet of this.outlets) {
      if (!outlet.mayTell(important)) continue;
      const lines = outlet.untold;
      outlet.untold = 0;
      this.put('log_lines_dropped', 0, { sink: outlet.name, lines });
      if (outlet.untold > 0) outlet.tellLater(lines);
    }
  }
}

function isImportant(level: LogLevel): boolean {
  return level === 'warn' || level === 'error';
}

/** One sink of a logger and its losses. */
class Outlet {
  readonly lines: LogOutlet;
  dropped = 0;
  /** Lost lines that no `log_lines_dropped` has reported yet. */
  untold = 0;

  private tellAt = 0;

  constructor(
    readonly name: string,
    write: OutletHost['write'],
    room: OutletHost['room'],
  ) {
    this.lines = new LogOutlet({ write, room, failed: () => this.drop() });
  }

  /** Whether a loss is to be reported before the next line. */
  mayTell(important: boolean): boolean {
    return this.untold > 0 && this.lines.hasRoom(important) && performance.now() >= this.tellAt;
  }

  /** Postpones a report that failed like the lines that it reports: the disk is still full. */
  tellLater(lines: number): void {
    this.untold += lines;
    this.tellAt = performance.now() + TELL_AGAIN_MS;
  }

  /** Whether the sink takes a line; counts the line if it does not. */
  admits(important: boolean): boolean {
    const room = this.lines.admits(important);
    if (!room) this.drop();
    return room;
  }

  drop(): void {
    this.dropped += 1;
    this.untold += 1;
  }
}

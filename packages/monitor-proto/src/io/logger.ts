import { openSync, writeSync } from 'node:fs';
import { buildLogLine, levelOf, messageOf, type LogSource } from '../log-line.ts';
import type { LogEventName, LogFields, LogLevel } from '../log-events.ts';

/** Writes log lines; until `load` has brought in pino they wait in memory, so that boot does not pay for it. */
export interface Logger {
  source: LogSource;
  write(event: LogEventName, lamport: number, fields: LogFields): void;
  /** Loads the logging library and writes what has waited. */
  load(): Promise<void>;
  /** Writes everything that waits, at once: for a process that is about to end. */
  flushNow(): void;
}

interface Waiting {
  readonly level: LogLevel;
  readonly time: number;
  readonly line: object;
  readonly msg: string;
}

type Sink = { readonly [L in LogLevel]: (line: object, msg: string) => void };

/** Lines on stdout, and in a file as well where one is named. */
export function createLogger(source: LogSource, logFile: string | null): Logger {
  let sequence = 0;
  let sink: Sink | null = null;
  let waiting: Waiting[] = [];
  const fileDescriptors = [1, ...(logFile === null ? [] : [openSync(logFile, 'a')])];

  const logger: Logger = {
    source,
    write(event, lamport, fields) {
      sequence += 1;
      const level = levelOf(event);
      const line = buildLogLine(logger.source, event, sequence, lamport, fields);
      if (sink === null) waiting.push({ level, time: Date.now(), line, msg: messageOf(event) });
      else sink[level](line, messageOf(event));
    },
    async load() {
      if (sink !== null) return;
      const { pino } = await import('pino');
      const streams = fileDescriptors.map((fd) => ({
        level: 'debug' as const,
        stream: pino.destination({ fd, sync: true }),
      }));
      const destination = streams.length === 1 ? streams[0]!.stream : pino.multistream(streams);
      const library = pino(
        { base: null, level: 'debug', formatters: { level: (label) => ({ level: label }) } },
        destination,
      );
      logger.flushNow();
      sink = {
        debug: (line, msg) => library.debug(line, msg),
        info: (line, msg) => library.info(line, msg),
        warn: (line, msg) => library.warn(line, msg),
        error: (line, msg) => library.error(line, msg),
      };
    },
    flushNow() {
      const text = waiting
        .map(({ level, time, line, msg }) => `${JSON.stringify({ level, time, ...line, msg })}\n`)
        .join('');
      waiting = [];
      if (text !== '') for (const fd of fileDescriptors) writeAll(fd, text);
    },
  };
  return logger;
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return; // nobody reads any more
    }
  }
}

import { type CoreId, peerName } from './ids.ts';
import { LOG_EVENTS, LOG_LEVELS, LOG_VERSION, type LogEventName, type LogFields, type LogLevel } from './log-events.ts';

/** The writer of a log line. */
export interface LogSource {
  readonly core: CoreId | string;
  readonly incarnation: number;
}

/** The part of a log line that does not depend on the logging library: everything but `level` and `time`. */
export interface LogLine {
  readonly event: LogEventName;
  readonly core: CoreId | string;
  readonly incarnation: number;
  readonly seq: number;
  readonly lamport: number;
  readonly [field: string]: unknown;
}

export function levelOf(event: LogEventName): LogLevel {
  return LOG_EVENTS[event].level;
}

/** Whether a process that logs from this level on writes the event. */
export function isLogged(event: LogEventName, from: LogLevel | 'off'): boolean {
  return from !== 'off' && LOG_LEVELS.indexOf(levelOf(event)) >= LOG_LEVELS.indexOf(from);
}

/**
 * A line as every process writes it: peers by name, the event's own fields last. `seq` counts all lines of a process,
 * including lost ones.
 */
export function buildLogLine(
  source: LogSource,
  event: LogEventName,
  seq: number,
  lamport: number,
  fields: LogFields,
): LogLine {
  const line: LogLine & Record<string, unknown> = {
    v: LOG_VERSION,
    event,
    core: source.core,
    incarnation: source.incarnation,
    seq,
    lamport,
  };
  const types: Readonly<Record<string, string>> = LOG_EVENTS[event].fields;
  for (const [name, value] of Object.entries(fields)) {
    line[name] = types[name] === 'peer' && typeof value === 'number' ? peerName(value) : value;
  }
  return line;
}

/** A short sentence for people: the event's description. */
export function messageOf(event: LogEventName): string {
  return LOG_EVENTS[event].doc;
}

import { appendFileSync } from 'node:fs';
import { buildLogLine, levelOf, messageOf } from '@mk/monitor-proto/log-line';
import { LOG_LEVELS, type LogEventName, type LogFields, type LogLevel } from '@mk/monitor-proto/log-events';

/**
 * The supervisor's own log lines (`core: "launcher"`): what it did to processes, which cannot report that themselves.
 */
export class LauncherLog {
  private sequence = 0;

  constructor(
    private readonly level: LogLevel | 'off',
    private readonly file: string | null,
    private readonly written: (line: string) => void,
  ) {}

  write(event: LogEventName, fields: LogFields): void {
    const level = levelOf(event);
    if (this.level === 'off' || LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.level)) return;
    this.sequence += 1;
    const line = buildLogLine({ core: 'launcher', incarnation: 1 }, event, this.sequence, 0, fields);
    const text = JSON.stringify({ level, time: Date.now(), ...line, msg: messageOf(event) });
    this.append(`${text}\n`);
    this.written(text);
  }

  /** A full disk, or a removed folder, is no reason to abandon the processes. */
  private append(text: string): void {
    try {
      if (this.file !== null) appendFileSync(this.file, text);
    } catch {
      // the line is still on the stream
    }
  }
}

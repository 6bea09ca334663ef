import type { Writable } from 'node:stream';
import { limit } from '@mk/monitor-proto/limits';
import { buildLogLine, levelOf, messageOf } from '@mk/monitor-proto/log-line';

const EVENT = 'log_lines_dropped';

/** Sends log lines to a reader that may not keep up: it loses lines, rather than us memory, and learns how many. */
export class SlowReader {
  private lost = 0;
  private told = 0;

  constructor(
    private readonly sink: 'stdout' | 'stream',
    private readonly out: Writable,
  ) {}

  line(text: string): void {
    if (this.out.writableLength >= limit('logWaitingBytes')) {
      if (this.lost === 0) this.out.once('drain', () => this.tell());
      this.lost += 1;
      return;
    }
    this.tell();
    this.out.write(`${text}\n`);
  }

  private tell(): void {
    if (this.lost === 0) return;
    const fields = { sink: this.sink, lines: this.lost };
    this.lost = 0;
    this.told += 1;
    const line = buildLogLine({ core: 'launcher', incarnation: 1 }, EVENT, this.told, 0, fields);
    this.out.write(`${JSON.stringify({ level: levelOf(EVENT), time: Date.now(), ...line, msg: messageOf(EVENT) })}\n`);
  }
}

import { matchesPattern } from '@mk/machine/name-pattern';
import { LOG_LEVELS, type LogLevel } from '@mk/monitor-proto/log-events';
import type { LogLineView } from './page-events.ts';

/** The conditions on a line of the log; an empty one matches everything. */
export interface LogFilter {
  /** `3`, `3,5-7`, `skb`, `launcher`. */
  readonly core: string;
  readonly level: LogLevel;
  /** An event's name; * stands for anything. */
  readonly event: string;
  readonly op: string;
  /** Anywhere in the line. */
  readonly text: string;
}

export const NO_FILTER: LogFilter = { core: '', level: 'debug', event: '', op: '', text: '' };

/** The filter as a function: `mkctl logs`' conditions, plus a text. */
export function logFilter({ core, level, event, op, text }: LogFilter): (line: LogLineView) => boolean {
  const cores = wantedCores(core);
  const least = LOG_LEVELS.indexOf(level);
  const pattern = event.trim();
  return (line) =>
    LOG_LEVELS.indexOf(line.level) >= least &&
    (cores === null || cores(line.core)) &&
    (pattern === '' || matchesPattern(pattern, line.event)) &&
    (op.trim() === '' || line.op === op.trim()) &&
    (text === '' || JSON.stringify(line).includes(text));
}

function wantedCores(text: string): ((core: LogLineView['core']) => boolean) | null {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
  if (words.length === 0) return null;
  return (core) =>
    words.some((word) => {
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(word) ?? [];
      if (from === undefined) return core === word;
      return typeof core === 'number' && core >= Number(from) && core <= Number(to);
    });
}

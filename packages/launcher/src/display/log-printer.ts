import { isRecord } from '@mk/monitor-proto/guards';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { Terminal } from '../cli/terminal.ts';
import { namedCores } from '@mk/machine/counted';

/** The part of a log line that people read. */
export interface LogLine {
  readonly time: number;
  readonly level: string;
  readonly event: string;
  readonly core: CoreId | string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** Fields of every line; people only want the others. */
const COMMON = new Set(['v', 'time', 'level', 'event', 'core', 'incarnation', 'seq', 'lamport', 'msg']);
/** Fields that differ between cores for the same event. */
const VARYING = new Set(['silent_ms', 'link', 'lost', 'ours', 'op', 'affected', 'count']);
/** How long the same news from many cores is gathered. */
const GATHER_MS = 250;
/** Info events that the terminal shows besides warnings. */
const TOLD = new Set(['member_gone', 'core_registered']);

/** Prints warnings and errors of all processes for people; the same news from many cores becomes one line. */
export class LogPrinter {
  private readonly gathered = new Map<string, { readonly line: LogLine; readonly cores: (number | string)[] }>();
  private timer: NodeJS.Timeout | null = null;

  /** Lines from before `since` are not news: processes write what happened during boot a little later. */
  constructor(
    private readonly terminal: Terminal,
    private readonly since: () => number,
    private readonly write: (text: string) => void,
  ) {}

  /** Takes a line as a process wrote it. */
  add(text: string): void {
    const line = parseLine(text);
    if (
      line === null ||
      line.time < this.since() ||
      (line.level !== 'warn' && line.level !== 'error' && !TOLD.has(line.event))
    )
      return;
    const key = JSON.stringify([line.event, ...fieldsOf(line).filter(([name]) => !VARYING.has(name))]);
    const known = this.gathered.get(key);
    if (known === undefined) this.gathered.set(key, { line, cores: [line.core] });
    else if (!known.cores.includes(line.core)) known.cores.push(line.core);
    this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Prints the gathered lines. */
  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    for (const { line, cores } of this.gathered.values()) this.write(this.format(line, cores));
    this.gathered.clear();
  }

  private format(line: LogLine, cores: readonly (number | string)[]): string {
    const { colour } = this.terminal;
    const who = speakers(cores);
    const paint = line.level === 'error' ? colour.red : line.level === 'warn' ? colour.yellow : colour.cyan;
    const details = fieldsOf(line).map(
      ([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
    );
    const head = `${colour.dim(clock(line.time))} ${paint(line.level.padEnd(5))} ${who}`;
    return `${head}  ${line.event}  ${details.join(' ')}`.trimEnd();
  }
}

/** A line that a process wrote, or null when it is not a log line. */
export function parseLine(text: string): LogLine | null {
  try {
    const line: unknown = JSON.parse(text);
    return isLogLine(line) ? line : null;
  } catch {
    return null;
  }
}

function isLogLine(value: unknown): value is LogLine {
  return isRecord(value) && typeof value['event'] === 'string' && typeof value['time'] === 'number';
}

/** A log line for people: time, level, who, event, its fields. */
export function formatLine(line: LogLine, terminal: Terminal): string {
  const { colour } = terminal;
  const paint = { error: colour.red, warn: colour.yellow, info: colour.cyan }[line.level] ?? colour.dim;
  const details = fieldsOf(line).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  const head = `${colour.dim(clock(line.time))} ${paint(line.level.padEnd(5))} ${speakers([line.core]).padEnd(8)}`;
  return `${head} ${line.event}  ${details.join(' ')}`.trimEnd();
}

/** Wall-clock time of day, milliseconds. */
export function clock(time: number): string {
  return new Date(time).toISOString().slice(11, 23);
}

function speakers(cores: readonly (number | string)[]): string {
  const numbers = cores.filter((core) => typeof core === 'number');
  const others = cores.filter((core) => typeof core !== 'number');
  const named = numbers.length === 0 ? [] : [namedCores(numbers)];
  return [...named, ...others].join(', ');
}

function fieldsOf(line: LogLine): [string, unknown][] {
  return Object.entries(line).filter(([name]) => !COMMON.has(name));
}

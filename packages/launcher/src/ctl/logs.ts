import { existsSync, openSync, readdirSync, readSync, closeSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { LOG_EVENTS } from '@mk/monitor-proto/log-events';
import { nearest } from '@mk/machine/nearest';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { coreList } from '../cli/values.ts';
import { splitAddress } from '../client/control-client.ts';
import { formatLine, parseLine } from '../launch/log-printer.ts';
import { lineSplitter } from '../supervisor/line-splitter.ts';
import { type Args, type CtlCommand, type CtlContext, optional } from './context.ts';

type LogLine = NonNullable<ReturnType<typeof parseLine>>;
type Filter = (line: LogLine) => boolean;

/** How often files are looked at for new lines. */
const POLL_MS = 150;

export const LOGS: CtlCommand = {
  command: 'logs',
  describe: 'what the processes logged, in order of time',
  examples: [
    ['$0 logs --follow', 'and what they will'],
    ["$0 logs --core 3,skb --event 'link_*'", 'of some, and of one kind'],
    ['$0 logs --op 3.1.42', 'one operation on all cores that it touches'],
    ['$0 logs --json | jq .event', 'the lines as they were written'],
  ],
  options: (cli) =>
    cli
      .option('core', { type: 'string', requiresArg: true, describe: 'cores (3, 0,4-7), skb, launcher' })
      .option('event', { type: 'string', requiresArg: true, describe: 'an event’s name, * stands for anything' })
      .option('level', {
        type: 'string',
        requiresArg: true,
        describe: 'this level and above: debug, info, warn, error',
      })
      .option('op', { type: 'string', requiresArg: true, describe: 'an operation, like 3.1.42' })
      .option('follow', {
        alias: 'f',
        type: 'boolean',
        default: false,
        describe: 'stay, and print what comes',
      }) as never,
  async run(context) {
    const filter = filterOf(context.args);
    const follow = context.args['follow'] === true;
    const { cluster } = context;
    if (cluster.record === null)
      throw new CommandError(`the logs of ${cluster.name} are not on this host; use docker compose logs core`);
    const show = printer(context, filter);
    // A detached cluster logs into files only; another one’s supervisor has the last lines of all processes.
    if (cluster.record.logDir !== null) await fromFiles(cluster.record.logDir, follow, show, () => cluster.supervised);
    else if (cluster.logStream !== null) await fromSupervisor(cluster.logStream, follow, show);
    else throw new CommandError('the supervisor is gone and no --log-dir was given: there are no logs');
  },
};

/** Processes that log and are no cores. */
const NAMED = new Set(['skb', 'launcher']);

/** Lines that pass every condition of the command line. */
export function filterOf(args: Args): Filter {
  const conditions: Filter[] = [];
  const core = optional(args, 'core');
  if (core !== undefined) {
    const names = core.split(',').filter((word) => NAMED.has(word));
    const numbers = core
      .split(',')
      .filter((word) => !NAMED.has(word))
      .join(',');
    const wanted = new Set<unknown>([...names, ...(numbers === '' ? [] : coreList('--core', numbers))]);
    conditions.push((line) => wanted.has(line.core));
  }
  const event = optional(args, 'event');
  if (event !== undefined) conditions.push(eventFilter(event));
  const op = optional(args, 'op');
  if (op !== undefined) {
    if (!/^\d+\.\d+\.\d+$/.test(op))
      throw new UsageError(
        `--op: ${JSON.stringify(op)} is no operation; they look like 3.1.42 (core.incarnation.number)`,
      );
    conditions.push((line) => line['op'] === op);
  }
  const level = optional(args, 'level');
  if (level !== undefined) conditions.push(levelFilter(level));
  return (line) => conditions.every((condition) => condition(line));
}

const LEVELS = ['debug', 'info', 'warn', 'error'];

function levelFilter(level: string): Filter {
  const least = LEVELS.indexOf(level);
  if (least < 0) throw new UsageError(`--level must be one of ${LEVELS.join(', ')}, not ${level}`);
  return (line) => LEVELS.indexOf(line.level) >= least;
}

function eventFilter(pattern: string): Filter {
  const names = Object.keys(LOG_EVENTS);
  const expression = new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[^\w]/g, '\\$&'))
      .join('.*')}$`,
  );
  if (!names.some((name) => expression.test(name))) {
    const guess = nearest(pattern.replaceAll('*', ''), names);
    throw new UsageError(`--event: nothing is called ${pattern}${guess === null ? '' : `; did you mean ${guess}?`}`);
  }
  return (line) => expression.test(line.event);
}

/** Prints lines that pass; as they were written with --json, else for people. */
function printer({ terminal, json }: CtlContext, filter: Filter): (text: string) => void {
  return (text) => {
    const line = parseLine(text);
    if (line !== null && filter(line)) terminal.out(json ? text : formatLine(line, terminal));
  };
}

async function fromSupervisor(
  { address, token }: { address: string; token: string },
  follow: boolean,
  show: (line: string) => void,
): Promise<void> {
  const { host, port } = splitAddress(address);
  await new Promise<void>((resolve, reject) => {
    const request = get(
      { host, port, path: follow ? '/logs?follow' : '/logs', headers: { authorization: `Bearer ${token}` } },
      (response) => {
        if (response.statusCode !== 200)
          return reject(new CommandError(`the supervisor answered ${response.statusCode}`));
        response.setEncoding('utf8').on('data', lineSplitter(show));
        response.on('end', resolve).on('error', () => resolve());
      },
    );
    request.on('error', (error) => reject(new CommandError(`the supervisor’s logs cannot be read: ${error.message}`)));
  });
}

/** One log file, read as far as it goes each time. */
class LogFile {
  private position = 0;
  private lines: string[] = [];
  private readonly decoder = new StringDecoder('utf8');
  private readonly split = lineSplitter((line) => this.lines.push(line));

  constructor(private readonly path: string) {}

  readNew(): string[] {
    const file = openSync(this.path, 'r');
    const buffer = Buffer.alloc(1 << 16);
    for (
      let bytes = readSync(file, buffer, 0, buffer.length, this.position);
      bytes > 0;
      bytes = readSync(file, buffer, 0, buffer.length, this.position)
    ) {
      this.position += bytes;
      this.split(this.decoder.write(buffer.subarray(0, bytes)));
    }
    closeSync(file);
    return this.lines.splice(0);
  }
}

async function fromFiles(
  directory: string,
  follow: boolean,
  show: (line: string) => void,
  alive: () => boolean,
): Promise<void> {
  if (!existsSync(directory)) throw new CommandError(`the log folder ${directory} is gone`);
  const files = new Map<string, LogFile>();
  const readAll = (): void => {
    for (const name of readdirSync(directory)) {
      if (name.endsWith('.jsonl') && !files.has(name)) files.set(name, new LogFile(join(directory, name)));
    }
    for (const line of inOrder([...files.values()].flatMap((file) => file.readNew()))) show(line);
  };
  readAll();
  while (follow && alive()) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    readAll();
  }
}

/** By time; lines of one millisecond keep the order in which they were read. */
function inOrder(lines: readonly string[]): string[] {
  const timed = lines.map((line) => [parseLine(line)?.time ?? 0, line] as const);
  return timed.sort(([a], [b]) => a - b).map(([, line]) => line);
}

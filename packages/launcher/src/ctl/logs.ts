import { existsSync } from 'node:fs';
import { LOG_EVENTS } from '@mk/monitor-proto/log-events';
import { matchesPattern } from '@mk/machine/name-pattern';
import { nearest } from '@mk/machine/nearest';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { LogFolder, processesLoggedIn } from '../state/log-files.ts';
import { lastRun } from '../state/run-logs.ts';
import { coreList } from '../cli/values.ts';
import { openRequest } from '@mk/libmk/io/control-call';
import { formatLine, parseLine } from '../display/log-printer.ts';
import { lineSplitter } from '../supervisor/line-splitter.ts';
import { keptLogs } from './kept-logs.ts';
import { type Args, type CtlCommand, type CtlContext, optional } from './context.ts';

type LogLine = NonNullable<ReturnType<typeof parseLine>>;
type Filter = (line: LogLine) => boolean;

/** How often files are checked for new lines. */
const POLL_MS = 150;

export const LOGS: CtlCommand = {
  command: 'logs',
  describe: 'what the processes logged, in order of time',
  examples: [
    ['$0 logs --follow', 'and what they log from now on'],
    ["$0 logs --core 3,skb --event 'link_*'", 'of some processes, and one kind of event'],
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
        choices: LEVELS,
        describe: 'this level and above',
      })
      .option('op', { type: 'string', requiresArg: true, describe: 'an operation, like 3.1.42' })
      .option('follow', {
        alias: 'f',
        type: 'boolean',
        default: false,
        describe: 'keep running and print new lines',
      }),
  async run(context) {
    const filter = filterOf(context.args);
    const follow = context.args['follow'] === true;
    const { cluster } = context;
    if (cluster.record === null) {
      const { show, end } = printer(context, filter);
      await keptLogs(cluster, show, { follow });
      return end();
    }
    const { logDir } = cluster.record;
    const ever = cluster.supervised ? await cluster.supervisor('ps') : cluster.record.processes;
    refuseUnknownCores(context.args, [...ever.map(({ name }) => name), ...processesLoggedIn(logDir)], cluster.name);
    const { show, end } = printer(context, filter);
    // A detached cluster logs only into files; the supervisor of any other has the last lines of all processes.
    if (logDir !== null) await fromFiles(logDir, follow, show, () => cluster.supervised);
    else if (cluster.logStream !== null) await fromSupervisor(cluster.logStream, follow, show);
    else throw new CommandError('the supervisor is gone and no --log-dir was given: there are no logs');
    end();
  },
  /** The cluster is down, but its last run left logs. */
  afterwards(context) {
    const filter = filterOf(context.args);
    const run = lastRun(optional(context.args, 'cluster'));
    return run === null ? null : showRun(context, filter, run);
  },
};

async function showRun(
  context: Omit<CtlContext, 'cluster'>,
  filter: Filter,
  { name, logDir }: { readonly name: string; readonly logDir: string },
): Promise<void> {
  refuseUnknownCores(context.args, processesLoggedIn(logDir), name);
  context.terminal.error(`mkctl: cluster ${name} is down; its last run logged into ${logDir}`);
  const { show, end } = printer(context, filter);
  await fromFiles(logDir, false, show, () => false);
  end();
}

/** A core that never existed has logged nothing; an empty answer would hide the mistake. */
function refuseUnknownCores(args: Args, known: readonly string[], cluster: string): void {
  const core = optional(args, 'core');
  if (core === undefined) return;
  const unknown = [...wantedCores(core)].find((who) => typeof who === 'number' && !known.includes(`core-${who}`));
  if (unknown !== undefined)
    throw new CommandError(`there is no core ${unknown} in cluster ${cluster}; mkctl ps lists the cores`);
}

/** Processes that log and are not cores. */
const NAMED = new Set(['skb', 'launcher']);

/** Whether a line meets every condition of the command line. */
export function filterOf(args: Args): Filter {
  const conditions: Filter[] = [];
  const core = optional(args, 'core');
  if (core !== undefined) {
    const wanted = wantedCores(core);
    conditions.push((line) => wanted.has(line.core));
  }
  const event = optional(args, 'event');
  if (event !== undefined) conditions.push(eventFilter(event));
  const op = optional(args, 'op');
  if (op !== undefined) {
    if (!/^\d+\.\d+\.\d+$/.test(op))
      throw new UsageError(
        `--op: ${JSON.stringify(op)} is not an operation; they look like 3.1.42 (core.incarnation.number)`,
      );
    conditions.push((line) => line['op'] === op);
  }
  const level = optional(args, 'level');
  if (level !== undefined) conditions.push(levelFilter(level));
  return (line) => conditions.every((condition) => condition(line));
}

/** `3,skb`: numbers and names. */
function wantedCores(text: string): ReadonlySet<unknown> {
  const words = text.split(',');
  const numbers = words.filter((word) => !NAMED.has(word)).join(',');
  return new Set([...words.filter((word) => NAMED.has(word)), ...(numbers === '' ? [] : coreList('--core', numbers))]);
}

const LEVELS = ['debug', 'info', 'warn', 'error'];

function levelFilter(level: string): Filter {
  const least = LEVELS.indexOf(level);
  return (line) => LEVELS.indexOf(line.level) >= least;
}

function eventFilter(pattern: string): Filter {
  const names = Object.keys(LOG_EVENTS);
  if (!names.some((name) => matchesPattern(pattern, name))) {
    const guess = nearest(pattern.replaceAll('*', ''), names);
    throw new UsageError(`--event: no event is called ${pattern}${guess === null ? '' : `; did you mean ${guess}?`}`);
  }
  return (line) => matchesPattern(pattern, line.event);
}

interface Printer {
  readonly show: (text: string) => void;
  /** Throws if one operation was requested and no line mentions it. */
  readonly end: () => void;
}

/** Prints lines that pass: as written with --json, else for people. */
function printer({ args, terminal, json }: Omit<CtlContext, 'cluster'>, filter: Filter): Printer {
  let printed = 0;
  const op = optional(args, 'op');
  return {
    show: (text) => {
      const line = parseLine(text);
      if (line === null || !filter(line)) return;
      printed += 1;
      terminal.out(json ? text : formatLine(line, terminal));
    },
    end: () => {
      if (printed === 0 && op !== undefined) throw new CommandError(`no line that matches mentions operation ${op}`);
    },
  };
}

/** Calls `show` with every line of the cluster’s logs, past and future, until the signal. */
export async function followLogs(
  { cluster }: Pick<CtlContext, 'cluster'>,
  show: (line: LogLine) => void,
  signal: AbortSignal,
): Promise<void> {
  const logDir = cluster.record?.logDir ?? null;
  const each = (text: string): void => {
    const line = parseLine(text);
    if (line !== null && !signal.aborted) show(line);
  };
  if (cluster.record === null) await keptLogs(cluster, each, { follow: true, signal });
  else if (logDir !== null) await fromFiles(logDir, true, each, () => cluster.supervised && !signal.aborted);
  else if (cluster.logStream !== null) await fromSupervisor(cluster.logStream, true, each, signal);
  else
    throw new CommandError(`the logs of ${cluster.name} are not on this host: what the program prints cannot be shown`);
}

/** Calls `show` with every line written by the cluster's processes that still exists. */
export async function pastLogs(cluster: CtlContext['cluster'], show: (line: string) => void): Promise<void> {
  if (cluster.record === null) return keptLogs(cluster, show, { follow: false });
  const { logDir } = cluster.record;
  if (logDir !== null) return fromFiles(logDir, false, show, () => false);
  if (cluster.logStream !== null) return fromSupervisor(cluster.logStream, false, show);
  throw new CommandError('the supervisor is gone and no --log-dir was given: there are no logs');
}

async function fromSupervisor(
  { address, access }: NonNullable<CtlContext['cluster']['logStream']>,
  follow: boolean,
  show: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = openRequest(
      address,
      access,
      { path: follow ? '/logs?follow' : '/logs', ...(signal && { signal }) },
      (response) => {
        if (response.statusCode !== 200)
          return reject(new CommandError(`the supervisor answered ${response.statusCode}`));
        response.setEncoding('utf8').on('data', lineSplitter(show));
        response.on('end', resolve).on('error', () => resolve());
      },
    );
    request.on('error', (error) =>
      signal?.aborted === true
        ? resolve()
        : reject(new CommandError(`the supervisor’s logs cannot be read: ${error.message}`)),
    );
    request.end();
  });
}

async function fromFiles(
  directory: string,
  follow: boolean,
  show: (line: string) => void,
  alive: () => boolean,
): Promise<void> {
  if (!existsSync(directory)) throw new CommandError(`the log folder ${directory} is gone`);
  const folder = new LogFolder(directory);
  const readAll = (): void => {
    const lines: string[] = [];
    folder.readNew((line) => lines.push(line));
    for (const line of inOrder(lines)) show(line);
  };
  readAll();
  while (follow && alive()) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    readAll();
  }
}

/** By time; lines of one millisecond keep the order of reading. */
function inOrder(lines: readonly string[]): string[] {
  const timed = lines.map((line) => [parseLine(line)?.time ?? 0, line] as const);
  return timed.sort(([a], [b]) => a - b).map(([, line]) => line);
}

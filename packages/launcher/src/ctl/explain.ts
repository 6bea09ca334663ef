import { asError } from '@mk/monitor-proto/thrown';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { parseLine } from '../display/log-printer.ts';
import { storySvg, storyText } from '../explain/picture.ts';
import { type Story, storyOf } from '../explain/story.ts';
import { lastRun } from '../state/run-logs.ts';
import { type CtlCommand, type CtlContext, optional, required } from './context.ts';
import { pastLogs } from './logs.ts';

type LogLine = NonNullable<ReturnType<typeof parseLine>>;
type WithoutCluster = Omit<CtlContext, 'cluster'>;

export const EXPLAIN: CtlCommand = {
  command: 'explain <op>',
  describe: 'draws one operation from the logs: who said what to whom, and what was slow',
  examples: [
    ['$0 explain 3.1.42', 'on the terminal'],
    ['$0 explain 3.1.42 --svg op.svg', 'and as a picture'],
    ['$0 explain 3.1.42 --logs runs/a', 'from the logs of a run that is over, or of a simulated one'],
  ],
  options: (cli) =>
    cli
      .positional('op', { type: 'string', describe: 'core.incarnation.number; mkctl logs shows them' })
      .option('svg', { type: 'string', requiresArg: true, describe: 'write a space-time diagram to this file' })
      .option('logs', {
        type: 'string',
        requiresArg: true,
        describe: 'a log folder, or a file of lines, instead of the cluster’s',
      }),
  async run(context) {
    tell(context, await ofCluster(context));
  },
  /** Logs in a folder need no cluster. */
  alone(context) {
    const folder = optional(context.args, 'logs');
    return folder === undefined ? null : Promise.resolve(tell(context, fromPath(folder)));
  },
  /** The cluster is down, but its last run left logs. */
  afterwards(context) {
    const folder = lastRun(optional(context.args, 'cluster'))?.logDir;
    return folder === undefined ? null : Promise.resolve(tell(context, fromPath(folder)));
  },
};

function tell({ args, terminal, json }: WithoutCluster, lines: readonly LogLine[]): void {
  const op = required(args, 'op');
  if (!/^\d+\.\d+\.\d+$/.test(op))
    throw new UsageError(`${JSON.stringify(op)} is no operation; they look like 3.1.42 (core.incarnation.number)`);
  const story = storyOf(op, lines);
  if (story === null)
    throw new CommandError(`no log line mentions operation ${op}; mkctl logs --event 'round_*' names some`);
  const svg = optional(args, 'svg');
  if (svg !== undefined) draw(svg, story);
  if (json) return terminal.out(JSON.stringify(forJson(story), null, 2));
  terminal.out(storyText(story, terminal.interactive ? terminal.columns : 160));
  if (svg !== undefined) terminal.out(`wrote ${svg}`);
}

function forJson({ op, who, result, elapsedUs, faults, said, told, slow }: Story): unknown {
  return {
    op,
    result,
    elapsed_us: elapsedUs,
    who,
    faults,
    messages: said.map(({ from, to, message, sentMs, deliveredMs, lamport }) => ({
      from,
      to,
      message,
      sent_ms: sentMs,
      delivered_ms: deliveredMs,
      lamport,
    })),
    events: told.map(({ who: name, atMs, lamport, text }) => ({ who: name, at_ms: atMs, lamport, text })),
    slow: slow.map(({ ms, text }) => ({ ms: ms === Infinity ? null : ms, text })),
  };
}

function draw(file: string, story: Story): void {
  try {
    writeFileSync(file, storySvg(story));
  } catch (error) {
    throw new CommandError(`${file} cannot be written: ${asError(error).message}`);
  }
}

async function ofCluster({ cluster }: CtlContext): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  await pastLogs(cluster, (text) => {
    const line = parseLine(text);
    if (line !== null) lines.push(line);
  });
  return lines;
}

function fromPath(path: string): readonly LogLine[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new UsageError(`--logs ${path}: no such file or folder`);
  const files = stat.isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.jsonl'))
        .map((name) => join(path, name))
    : [path];
  return files.flatMap((file) => readFileSync(file, 'utf8').split('\n')).flatMap((text) => parseLine(text) ?? []);
}

import { statSync } from 'node:fs';
import { writeOutput } from '../cli/output-file.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { storySvg, storyText } from '../explain/picture.ts';
import { Gathering, type Run } from '../explain/gathering.ts';
import type { Story } from '../explain/story.ts';
import { LogFolder, readLogFile } from '../state/log-files.ts';
import { lastRun } from '../state/run-logs.ts';
import { type Args, type CtlCommand, type CtlContext, optional, required } from './context.ts';
import { pastLogs } from './logs.ts';

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
      })
      .option('run', {
        type: 'number',
        requiresArg: true,
        describe: 'which of the runs that logged into one folder, the oldest being 1',
      }),
  rules: { excludes: { logs: ['cluster', 'skb', 'secret-file', 'tls', 'tls-ca', 'tls-cert', 'tls-key'] } },
  async run(context) {
    const gathering = gatheringOf(context.args);
    await pastLogs(context.cluster, gathering.take);
    tell(context, gathering);
  },
  /** Logs in a folder need no cluster. */
  alone(context) {
    const folder = optional(context.args, 'logs');
    return folder === undefined ? null : Promise.resolve(tell(context, fromPath(context.args, folder)));
  },
  /** The cluster is down, but its last run left logs. */
  afterwards(context) {
    const folder = lastRun(optional(context.args, 'cluster'))?.logDir;
    return folder === undefined ? null : Promise.resolve(tell(context, fromPath(context.args, folder)));
  },
};

function gatheringOf(args: Args): Gathering {
  const op = required(args, 'op');
  if (!/^\d+\.\d+\.\d+$/.test(op))
    throw new UsageError(`${JSON.stringify(op)} is not an operation; they look like 3.1.42 (core.incarnation.number)`);
  return new Gathering(op);
}

function tell({ args, terminal, json }: WithoutCluster, gathering: Gathering): void {
  const { op } = gathering;
  const story = gathering.story(chosenRun(args, gathering));
  if (story === null)
    throw new CommandError(`no log line mentions operation ${op}; mkctl logs --event 'round_*' names some`);
  const svg = optional(args, 'svg');
  if (svg !== undefined) writeOutput(svg, storySvg(story));
  if (json) return terminal.out(JSON.stringify(forJson(story), null, 2));
  terminal.out(storyText(story, terminal.interactive ? terminal.columns : 160));
  if (svg !== undefined) terminal.out(`wrote ${svg}`);
}

/** Ids begin again with each boot: several runs that logged into one folder may each have such an operation. */
function chosenRun(args: Args, { op, runs }: Gathering): Run | null {
  const wanted = args['run'] === undefined ? null : Number(args['run']);
  if (wanted === null && runs.length <= 1) return runs[0] ?? null;
  const list = runs.map(({ atMs }, i) => `${i + 1} of ${new Date(atMs).toISOString()}`).join(', ');
  if (wanted === null)
    throw new CommandError(
      `${op} is ambiguous: ${runs.length} runs that logged here have one; choose with --run: ${list}`,
    );
  const run = runs[wanted - 1];
  if (run === undefined) throw new UsageError(`--run ${wanted}: there is ${list === '' ? 'no run with it' : list}`);
  return run;
}

function forJson({ op, who, result, elapsedUs, faults, said, told, slow }: Story): unknown {
  return {
    op,
    result,
    elapsed_us: elapsedUs,
    who,
    faults,
    messages: said.map(({ from, to, message, sentMs, deliveredMs, isWitnessed, lamport }) => ({
      from,
      to,
      message,
      sent_ms: sentMs,
      delivered_ms: deliveredMs,
      witnessed: isWitnessed,
      lamport,
    })),
    events: told.map(({ who: name, atMs, lamport, text }) => ({ who: name, at_ms: atMs, lamport, text })),
    slow: slow.map(({ ms, text }) => ({ ms: ms === Infinity ? null : ms, text })),
  };
}

function fromPath(args: Args, path: string): Gathering {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new UsageError(`--logs ${path}: no such file or folder`);
  const gathering = gatheringOf(args);
  if (stat.isDirectory()) new LogFolder(path).readNew(gathering.take);
  else readLogFile(path, gathering.take);
  return gathering;
}

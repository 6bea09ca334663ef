import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { chaosPlan, chaosWords } from '@mk/machine/chaos-plan';
import { shellLine } from '@mk/machine/shell-line';
import { momentByDate } from '@mk/monitor-proto/io/dates';
import { asError } from '@mk/monitor-proto/thrown';
import { UsageError } from '../cli/usage-error.ts';
import { wholeNumber } from '../cli/values.ts';
import { chaosOf, chaosOptions, placeChaos } from '../cli/chaos-options.ts';
import type { LogLine } from '../display/log-printer.ts';
import { drawChaos } from '../explain/chaos-picture.ts';
import { onInterrupts } from '../cli/interrupts.ts';
import { followLogs } from './logs.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson } from './context.ts';

/** The supervisor answers at once when it begins a plan, and when asked about it. */
const ANSWER_MS = 60_000;

export const CHAOS: CtlCommand = {
  command: 'chaos',
  describe: 'injects faults generated from a seed into the running cluster, heals it, checks it, keeps the results',
  examples: [
    ['$0 chaos --seed 42 --for 60s', 'a minute of crashes, hangs, cuts, loss, a lost SKB; then an audit'],
    ['$0 chaos --seed 42 --for 60s --weights crash=9,skb_loss=0', 'other kinds more or less often'],
    ['$0 chaos --seed 42 --cores 8 --print > plan.yaml', 'the plan alone, for mk-launch --plan; needs no cluster'],
  ],
  options: (cli) => {
    cli
      .option('seed', {
        type: 'string',
        requiresArg: true,
        describe: 'seed of the faults; random by default, and printed',
      })
      .option('cores', { type: 'string', requiresArg: true, describe: 'with --print: number of cores' });
    chaosOptions(cli);
  },
  rules: { needs: { cores: ['print'] }, excludes: { print: ['out', 'json'] } },
  alone({ args, terminal }) {
    if (args['print'] !== true || optional(args, 'cores') === undefined) return null;
    const cores = wholeNumber('--cores', optional(args, 'cores') ?? '', 1, 4096);
    terminal.out(chaosPlan(chaosOf(args, seedOf(args), cores)).trimEnd());
    return Promise.resolve();
  },
  async run(context) {
    const { args, terminal } = context;
    if (args['print'] !== true && optional(args, 'cores') !== undefined)
      throw new UsageError('--cores goes with --print: the number of cores of a running cluster is fixed');
    const cores = await coresOf(context);
    const chaos = chaosOf(args, seedOf(args), cores);
    if (args['print'] === true) return terminal.out(chaosPlan(chaos).trimEnd());
    const { folder, text } = placeChaos(args, chaos);
    const say = context.json ? (line: string) => terminal.error(line) : (line: string) => terminal.out(line);
    say(`seed ${chaos.seed}`);
    const over = new AbortController();
    const { launch } = await context.cluster.supervisor('status');
    const logs = keepLogs(context, chaos.seed, folder, over.signal);
    const { status, lines } = await goThrough(context, text, folder, say).finally(() => over.abort());
    await logs;
    const repeat = { cluster: shellLine(['mk-launch', ...launch]), chaos: `mkctl chaos ${chaosWords(chaos)}` };
    if (context.json) printJson(context, { seed: chaos.seed, status, folder, broken: brokenIn(lines), repeat });
    else
      terminal.out(
        `results in ${relative('.', folder) || '.'}; repeat it with: ${repeat.chaos}, on a cluster of: ${repeat.cluster}`,
      );
    return status;
  },
};

/**
 * Keeps the lines logged until the signal, and a picture of them; failing to do so is reported, and changes no verdict.
 */
async function keepLogs(
  context: CtlContext,
  seed: string | number,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const begun = momentByDate();
  const kept: LogLine[] = [];
  const failed = (what: string) => (error: unknown) =>
    context.terminal.error(`mkctl: ${what} could not be kept: ${asError(error).message}`);
  await followLogs(context, (line) => void (line.time >= begun() && kept.push(line)), signal).catch(failed('all logs'));
  const text = kept.map((line) => `${JSON.stringify(line)}\n`).join('');
  await writeFile(join(folder, 'log.jsonl'), text).catch(failed('log.jsonl'));
  await drawChaos(folder, seed, kept).catch(failed('space-time.svg'));
}

/** Cores that were started here, whether or not they run now. */
async function coresOf({ cluster }: CtlContext): Promise<number> {
  const rows = await cluster.supervisor('ps');
  return rows.filter(({ name }) => name !== 'skb').length;
}

/**
 * Has the supervisor run the plan, and prints its output. A signal that asks for an end, or a reader that has gone,
 * ends the plan but not the cluster: the supervisor heals what it injected while this waits. A second signal ends the
 * wait.
 */
async function goThrough(
  { cluster }: CtlContext,
  text: string,
  folder: string,
  say: (line: string) => void,
): Promise<{ readonly status: number; readonly lines: readonly string[] }> {
  const options = { timeoutMs: ANSWER_MS, patient: true };
  let begun = false;
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    if (begun) void cluster.supervisor('plan_stop').catch(() => undefined);
  };
  const release = onInterrupts({ first: stop, second: () => process.exit(2), last: () => undefined });
  const lines: string[] = [];
  try {
    // A signal that comes before the answer ends the plan as soon as it has begun, so that no plan runs unattended.
    await cluster.supervisor('plan_begin', { text, folder }, options);
    begun = true;
    if (stopped) stop();
    for (;;) {
      const told = await cluster.supervisor('plan_told', { from: lines.length }, options);
      told.lines.forEach(say);
      lines.push(...told.lines);
      if (told.status !== null) return { status: told.status, lines };
    }
  } finally {
    release();
  }
}

function brokenIn(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => line.startsWith('BROKEN: ')).map((line) => line.slice('BROKEN: '.length));
}

function seedOf(args: Args): string {
  return optional(args, 'seed') ?? String(randomBytes(4).readUInt32BE());
}

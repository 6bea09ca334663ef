import { writeFile } from 'node:fs/promises';
import { known } from '@mk/monitor-proto/assert';
import { isOneOf } from '@mk/monitor-proto/guards';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import {
  stackFile,
  stackPlot,
  type UnmapCurve,
  unmapCurve,
  unmapPlot,
  type UnmapRound,
  type UnmapRow,
  unmapText,
} from '@mk/sim/commands/unmap-figure';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { coresUp } from '../client/cores.ts';
import { programNamed } from '../programs/bundle.ts';
import { statusOf } from '../programs/program-run.ts';
import { type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';
import { printLine, runFollowed } from './run-file.ts';

export const BENCH_UNMAP: CtlCommand = {
  command: 'bench unmap',
  describe: 'unmap of a page that 1, 2, 4, … cores have read: the whole call, by a plan of dissemination',
  examples: [
    ['$0 bench unmap --plan all', 'the four plans, one after the other (the paper’s Fig. 7)'],
    [
      '$0 bench unmap --plan all --step 2 --out unmap.svg',
      'drawn: microseconds by number of cores; each plan’s stack beside it',
    ],
  ],
  options: (cli) =>
    cli
      .option('plan', {
        type: 'string',
        requiresArg: true,
        default: 'auto',
        describe: `auto, ${PLAN_KINDS.join(', ')} or all`,
      })
      .option('count', {
        type: 'string',
        requiresArg: true,
        default: '20',
        describe: 'unmaps for each number of cores',
      })
      .option('step', {
        type: 'string',
        requiresArg: true,
        default: '0',
        describe: 'every so many cores; 0: 1, 2, 4, …',
      })
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'draw the medians into this SVG file, and each plan’s stack into one beside it',
      }),
  async run(context) {
    const plan = required(context.args, 'plan');
    if (plan !== 'all' && plan !== 'auto' && !isOneOf(PLAN_KINDS, plan))
      throw new UsageError(`--plan must be auto, ${PLAN_KINDS.join(', ')} or all, not ${plan}`);
    const step = required(context.args, 'step');
    const home = known((await coresUp(context.cluster))[0], 'a core');
    const curves: UnmapCurve[] = [];
    const count = optional(context.args, 'count') ?? '20';
    let status = 0;
    try {
      for (const kind of plan === 'all' ? PLAN_KINDS : [plan]) {
        const before = (await context.cluster.core(home, 'unmap_plan', { plan: kind })) as Rounds;
        const came = await rowsOf(context, 'unmap-bench', ['--rounds', count, '--step', step]);
        const after = (await context.cluster.core(home, 'unmap_plan', {})) as Rounds;
        // What others did before is no part of it; of very many rounds the core remembers the last.
        const last = after.last.slice(-Math.max(1, after.rounds - before.rounds));
        curves.push(unmapCurve(kind, came.rows as readonly UnmapRow[], last));
        status = Math.max(status, came.status);
      }
    } finally {
      await context.cluster.core(home, 'unmap_plan', { plan: 'auto' });
    }
    if (status !== 0) return status;
    if (context.json) printJson(context, curves);
    else context.terminal.out(unmapText(curves, { name: 'microseconds', ns: 1000 }));
    const out = optional(context.args, 'out');
    if (out === undefined) return status;
    await write(out, unmapPlot(curves, ''));
    for (const curve of curves) await write(stackFile(out, curve.plan), stackPlot(curve, ''));
    return status;
  },
};

async function write(file: string, svg: string): Promise<void> {
  await writeFile(file, svg).catch((error: Error) => {
    throw new CommandError(`${file} cannot be written: ${error.message}`);
  });
}

export const BENCH_SHARE: CtlCommand = {
  command: 'bench share',
  describe: 'cores update lines of a shared frame, or send the updates to one core (the paper’s Fig. 3)',
  examples: [['$0 bench share --lines 8', 'eight cache lines an update']],
  options: (cli) =>
    cli
      .option('lines', { type: 'string', requiresArg: true, default: '1', describe: 'words, a cache line apart' })
      .option('count', { type: 'string', requiresArg: true, default: '50', describe: 'updates by each core' }),
  async run(context) {
    const words = ['--rounds', required(context.args, 'count'), '--lines', required(context.args, 'lines')];
    const { status, value } = await run(context, 'share-bench', words);
    if (context.json) printJson(context, value);
    return status;
  },
};

interface Rounds {
  readonly rounds: number;
  readonly last: readonly UnmapRound[];
}

/** Runs a program on all cores; its value with `--json`. */
async function run(context: CtlContext, name: string, words: readonly string[]) {
  const rows: unknown[] = [];
  const status = await follow(context, name, [...words, ...(context.json ? ['--json'] : [])], (text) => {
    if (!context.json) return false;
    rows.push(JSON.parse(text));
    return true;
  });
  return { status, value: rows[0] ?? null };
}

/** Runs a program on all cores that prints a JSON document a row. */
async function rowsOf(context: CtlContext, name: string, words: readonly string[]) {
  const rows: unknown[] = [];
  const status = await follow(context, name, [...words, '--rows'], (text) => rows.push(JSON.parse(text)) > 0);
  return { status, rows };
}

/** `take` says whether it took a line; the others are printed. */
async function follow(context: CtlContext, name: string, args: readonly string[], take: (text: string) => boolean) {
  const cores = await coresUp(context.cluster);
  const request = { program: await programNamed(name), cores, on: cores.slice(0, 1), args };
  return statusOf(
    await runFollowed(context, request, (line) => {
      if (line.isError || !take(line.text)) printLine(context, line, false);
    }),
  );
}

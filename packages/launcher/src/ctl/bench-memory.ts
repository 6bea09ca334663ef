import { known } from '@mk/monitor-proto/assert';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import { stackFile, stackPlot, type UnmapCurve, unmapCurve, unmapPlot, unmapText } from '@mk/sim/commands/unmap-figure';
import { benchLine, type BenchLines } from '@mk/sim/commands/bench-lines';
import { askedBy, disruptionText } from '@mk/sim/commands/disruption-figure';
import { sharePlot, type ShareRow, shareText } from '@mk/sim/commands/share-figure';
import { checkOutput, writeOutput } from '../cli/output-file.ts';
import { wholeNumber } from '../cli/values.ts';
import { coresUp } from '../client/cores.ts';
import { PAGE_BYTES } from '../client/pages.ts';
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
        choices: ['auto', ...PLAN_KINDS, 'all'],
        describe: 'how the unmap spreads; auto: as the SKB chooses',
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
        describe: 'step between numbers of cores; 0: 1, 2, 4, …',
      })
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'draw the medians into this SVG file, and each plan’s stack into one beside it',
      }),
  async run(context) {
    const plan = required(context.args, 'plan');
    const step = wholeNumber('--step', required(context.args, 'step'), 0, 1024);
    const count = wholeNumber('--count', required(context.args, 'count'), 1, 100_000);
    const out = outputOf(context);
    const home = known((await coresUp(context.cluster))[0], 'a core');
    const curves: UnmapCurve[] = [];
    let status = 0;
    try {
      for (const kind of plan === 'all' ? PLAN_KINDS : [plan]) {
        const before = await context.cluster.core(home, 'unmap_plan', { plan: kind });
        const came = await rowsOf(context, 'unmap-bench', [
          '--rows',
          '--rounds',
          String(count),
          '--step',
          String(step),
        ]);
        const after = await context.cluster.core(home, 'unmap_plan', {});
        // Earlier rounds do not count; the core only remembers the latest.
        const last = after.last.slice(-Math.max(1, after.rounds - before.rounds));
        curves.push(unmapCurve(kind, came.rows, last));
        status = Math.max(status, came.status);
      }
    } finally {
      await context.cluster.core(home, 'unmap_plan', { plan: 'auto' });
    }
    if (status !== 0) return status;
    if (context.json) printJson(context, curves);
    else context.terminal.out(unmapText(curves, { name: 'microseconds', ns: 1000 }));
    if (out === undefined) return status;
    writeOutput(out, unmapPlot(curves, ''));
    for (const curve of curves) writeOutput(stackFile(out, curve.plan), stackPlot(curve, ''));
    return status;
  },
};

/** The file of `--out`, which can be written. */
function outputOf({ args }: CtlContext): string | undefined {
  const out = optional(args, 'out');
  if (out !== undefined) checkOutput('--out', out);
  return out;
}

export const BENCH_SHARE: CtlCommand = {
  command: 'bench share',
  describe: 'cores update lines of a shared frame, or send the updates to one core (the paper’s Fig. 3)',
  examples: [
    ['$0 bench share --lines 8', 'eight cache lines an update'],
    ['$0 bench share --lines 1,8 --out share.svg', 'both, drawn: microseconds by number of cores'],
  ],
  options: (cli) =>
    cli
      .option('lines', {
        type: 'string',
        requiresArg: true,
        default: '1',
        describe: 'words, a cache line apart; or several, as 1,8',
      })
      .option('count', { type: 'string', requiresArg: true, default: '50', describe: 'updates by each core' })
      .option('out', { type: 'string', requiresArg: true, describe: 'draw the means into this SVG file' }),
  async run(context) {
    const count = wholeNumber('--count', required(context.args, 'count'), 1, 100_000);
    const widths = required(context.args, 'lines').split(',');
    const lineCounts = widths.map((lines) => wholeNumber('--lines', lines, 1, PAGE_BYTES / 64));
    const out = outputOf(context);
    const rows: ShareRow[] = [];
    for (const lines of lineCounts) {
      const words = ['--rounds', String(count), '--lines', String(lines), '--json'];
      const came = await rowsOf(context, 'share-bench', words);
      if (came.status !== 0) return came.status;
      rows.push(...came.rows.flat());
    }
    if (context.json) printJson(context, rows);
    else context.terminal.out(shareText(rows, { name: 'microseconds', ns: 1000 }));
    if (out !== undefined) writeOutput(out, sharePlot(rows, ''));
    return 0;
  },
};

export const BENCH_DISRUPTION: CtlCommand = {
  command: 'bench disruption',
  describe:
    'what an unmap costs the cores that it interrupts: their programs compute while pages that every second one has touched are unmapped',
  examples: [
    ['$0 bench disruption --count 100', 'a hundred unmaps, in each of five pairs of a quiet time and a loud one'],
  ],
  options: (cli) =>
    cli
      .option('count', {
        type: 'string',
        requiresArg: true,
        default: '50',
        describe: 'unmaps in each loud time, at most',
      })
      .option('pairs', { type: 'string', requiresArg: true, default: '5', describe: 'quiet and loud times' }),
  async run(context) {
    const count = wholeNumber('--count', required(context.args, 'count'), 1, 1000);
    const pairs = wholeNumber('--pairs', required(context.args, 'pairs'), 1, 100);
    const home = known((await coresUp(context.cluster))[0], 'a core');
    const words = ['--rounds', String(count), '--pairs', String(pairs), '--json'];
    const before = await context.cluster.core(home, 'unmap_plan', {});
    const { status, rows } = await rowsOf(context, 'disruption-bench', words);
    if (status !== 0) return status;
    const after = await context.cluster.core(home, 'unmap_plan', {});
    const told = known(rows[0], 'a line of the program');
    const asked = askedBy(after.last, after.rounds - before.rounds);
    if (context.json) printJson(context, { ...told, asked });
    else context.terminal.out(disruptionText(told, asked, { name: 'microseconds', ns: 1000 }));
    return 0;
  },
};

/** Runs a program on all cores that prints JSON documents, one per line. */
async function rowsOf<P extends keyof BenchLines>(context: CtlContext, name: P, words: readonly string[]) {
  const rows: BenchLines[P][] = [];
  const status = await follow(context, name, words, (text) => rows.push(benchLine(name, text)) > 0);
  return { status, rows };
}

/** `take` returns whether it took a line; the others are printed. */
async function follow(context: CtlContext, name: string, args: readonly string[], take: (text: string) => boolean) {
  const cores = await coresUp(context.cluster);
  const request = { program: await programNamed(name), cores, on: cores.slice(0, 1), args };
  return statusOf(
    await runFollowed(context, request, (line) => {
      if (line.isError || !take(line.text)) printLine(context, line, false);
    }),
  );
}

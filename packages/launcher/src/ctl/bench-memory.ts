import { writeFile } from 'node:fs/promises';
import { known } from '@mk/monitor-proto/assert';
import { plotSvg } from '@mk/sim/commands/svg-plot';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { coresUp } from '../client/cores.ts';
import { programNamed } from '../programs/bundle.ts';
import { statusOf } from '../programs/program-run.ts';
import { type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';
import { printLine, runFollowed } from './run-file.ts';

const PLANS = ['unicast', 'broadcast', 'multicast', 'numa'];

export const BENCH_UNMAP: CtlCommand = {
  command: 'bench unmap',
  describe: 'unmap of a page that 1, 2, 4, … cores have read: the whole call, by a plan of dissemination',
  examples: [
    ['$0 bench unmap --plan all', 'the four plans, one after the other (the paper’s Fig. 7)'],
    ['$0 bench unmap --plan all --out unmap.svg', 'drawn: microseconds by number of cores, a curve a plan'],
  ],
  options: (cli) =>
    cli
      .option('plan', {
        type: 'string',
        requiresArg: true,
        default: 'auto',
        describe: `auto, ${PLANS.join(', ')} or all`,
      })
      .option('count', {
        type: 'string',
        requiresArg: true,
        default: '20',
        describe: 'unmaps for each number of cores',
      })
      .option('out', { type: 'string', requiresArg: true, describe: 'draw the medians into this SVG file' }),
  async run(context) {
    const plan = required(context.args, 'plan');
    if (plan !== 'all' && plan !== 'auto' && !PLANS.includes(plan))
      throw new UsageError(`--plan must be auto, ${PLANS.join(', ')} or all, not ${plan}`);
    const home = known((await coresUp(context.cluster))[0], 'a core');
    const results: Result[] = [];
    const count = optional(context.args, 'count') ?? '20';
    let status = 0;
    for (const kind of plan === 'all' ? PLANS : [plan]) {
      const before = (await context.cluster.core(home, 'unmap_plan', { plan: kind })) as Rounds;
      if (!context.json) context.terminal.out(`${kind}:`);
      const came = await run(context, 'unmap-bench', ['--rounds', count], true);
      const after = (await context.cluster.core(home, 'unmap_plan', {})) as Rounds;
      // What others did before is no part of it; of very many rounds the core remembers the last.
      const last = after.last.slice(-Math.max(1, after.rounds - before.rounds));
      const rows = (came.value ?? []) as readonly UnmapRow[];
      results.push({ plan: kind, cores: rows, rounds: rows.map(({ cores }) => roundOf(last, cores)) });
      if (!context.json) {
        context.terminal.out(`unmap of one page, ${count} times:`);
        for (const row of rows) context.terminal.out(describeRow(row));
        context.terminal.out(`  of it the round alone: ${describe(last)}`);
      }
      status = Math.max(status, came.status);
    }
    await context.cluster.core(home, 'unmap_plan', { plan: 'auto' });
    const out = optional(context.args, 'out');
    if (out !== undefined) await draw(out, results);
    if (context.json) printJson(context, results);
    return status;
  },
};

/** The whole call by number of cores, and the round in it as marks, a curve a plan (the paper's Fig. 7 and 6). */
async function draw(file: string, results: readonly Result[]): Promise<void> {
  const curves = results.flatMap(({ plan, cores, rounds }) => [
    { name: plan, points: cores.map((row) => [row.cores, row.p50_ns / 1000] as const) },
    {
      name: `${plan}, the round`,
      points: rounds.map((row) => [row.cores, row.median_ns / 1000] as const),
      marks: true,
    },
  ]);
  const svg = plotSvg(curves, {
    title: 'Unmap of one page',
    xLabel: 'cores',
    yLabel: 'microseconds, median',
    logX: true,
  });
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

/** What the program says of so many cores. */
interface UnmapRow {
  readonly cores: number;
  readonly p50_ns: number;
  readonly min_ns: number;
}

/** The rounds of a run over so many cores. */
interface RoundRow {
  readonly cores: number;
  readonly median_ns: number;
}

interface Result {
  readonly plan: string;
  readonly cores: readonly UnmapRow[];
  readonly rounds: readonly RoundRow[];
}

interface Rounds {
  readonly rounds: number;
  readonly last: readonly Round[];
}

interface Round {
  readonly cores: number;
  readonly messages: number;
  readonly elapsedNs: number;
}

function describeRow({ cores, p50_ns: median, min_ns: least }: UnmapRow): string {
  return `${String(cores).padStart(5)} cores: median ${(median / 1000).toFixed(1)} us, least ${(least / 1000).toFixed(1)} us`;
}

function describe(rounds: readonly Round[]): string {
  const { cores, median_ns: median } = roundOf(rounds, Math.max(0, ...rounds.map(({ cores }) => cores)));
  return `median ${(median / 1000).toFixed(1)} us over ${cores} cores`;
}

function roundOf(rounds: readonly Round[], cores: number): RoundRow {
  const times = rounds.filter((round) => round.cores === cores).map(({ elapsedNs }) => elapsedNs);
  return { cores, median_ns: times.sort((a, b) => a - b)[times.length >> 1] ?? 0 };
}

/** Runs a program on all cores; its value with `--json`, or where the caller prints it. */
async function run(context: CtlContext, name: string, words: readonly string[], valued = context.json) {
  const cores = await coresUp(context.cluster);
  const args = [...words, ...(valued ? ['--json'] : [])];
  const request = { program: await programNamed(name), cores, on: cores.slice(0, 1), args };
  let value: unknown = null;
  const statuses = await runFollowed(context, request, (line) => {
    if (valued && !line.isError) value = JSON.parse(line.text);
    else printLine(context, line, false);
  });
  return { status: statusOf(statuses), value };
}

import { known } from '@mk/monitor-proto/assert';
import { UsageError } from '../cli/usage-error.ts';
import { coresUp } from '../client/cores.ts';
import { programNamed } from '../programs/bundle.ts';
import { statusOf } from '../programs/program-run.ts';
import { type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';
import { printLine, runFollowed } from './run-file.ts';

const PLANS = ['unicast', 'broadcast', 'multicast', 'numa'];

export const BENCH_UNMAP: CtlCommand = {
  command: 'bench unmap',
  describe: 'unmap of a page that 1, 2, 4, … cores have read: the whole call, by a plan of dissemination',
  examples: [['$0 bench unmap --plan all', 'the four plans, one after the other (the paper’s Fig. 7)']],
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
      }),
  async run(context) {
    const plan = required(context.args, 'plan');
    if (plan !== 'all' && plan !== 'auto' && !PLANS.includes(plan))
      throw new UsageError(`--plan must be auto, ${PLANS.join(', ')} or all, not ${plan}`);
    const home = known((await coresUp(context.cluster))[0], 'a core');
    const results: unknown[] = [];
    let status = 0;
    for (const kind of plan === 'all' ? PLANS : [plan]) {
      const before = (await context.cluster.core(home, 'unmap_plan', { plan: kind })) as Rounds;
      if (!context.json) context.terminal.out(`${kind}:`);
      const came = await run(context, 'unmap-bench', ['--rounds', optional(context.args, 'count') ?? '20']);
      const after = (await context.cluster.core(home, 'unmap_plan', {})) as Rounds;
      // What others did before is no part of it; of very many rounds the core remembers the last.
      const last = after.last.slice(-Math.max(1, after.rounds - before.rounds));
      results.push({ plan: kind, cores: came.value, round: last.at(-1) });
      if (!context.json) context.terminal.out(`  of it the round alone: ${describe(last)}`);
      status = Math.max(status, came.status);
    }
    await context.cluster.core(home, 'unmap_plan', { plan: 'auto' });
    if (context.json) printJson(context, results);
    return status;
  },
};

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
  readonly last: readonly Round[];
}

interface Round {
  readonly cores: number;
  readonly messages: number;
  readonly elapsedNs: number;
}

function describe(rounds: readonly Round[]): string {
  const most = Math.max(0, ...rounds.map(({ cores }) => cores));
  const times = rounds.filter(({ cores }) => cores === most).map(({ elapsedNs }) => elapsedNs);
  const median = times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
  return `median ${(median / 1000).toFixed(1)} us over ${most} cores`;
}

async function run(context: CtlContext, name: string, words: readonly string[]) {
  const cores = await coresUp(context.cluster);
  const args = [...words, ...(context.json ? ['--json'] : [])];
  const request = { program: await programNamed(name), cores, on: cores.slice(0, 1), args };
  let value: unknown = null;
  const statuses = await runFollowed(context, request, (line) => {
    if (context.json && !line.isError) value = JSON.parse(line.text);
    else printLine(context, line, false);
  });
  return { status: statusOf(statuses), value };
}

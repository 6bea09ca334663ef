import { coreNumber, wholeNumber } from '../cli/values.ts';
import { describeFlood, isClean } from '../client/flood-result.ts';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import type { RoundSummary } from '@mk/node-kernel/control/verb-answers';
import { describeTimes } from '../client/times.ts';
import { BENCH_DISRUPTION, BENCH_SHARE, BENCH_UNMAP } from './bench-memory.ts';
import { BENCH_QUEUES } from './bench-queues.ts';
import { BENCH_REVOKE } from './bench-revoke.ts';
import { type CtlCommand, printJson, required } from './context.ts';
import { pairOf, pingOptions, runPing } from './ping.ts';

const LONG_MS = 30 * 60_000;

const ROUND: CtlCommand = {
  command: 'bench round',
  describe: 'agreement rounds that do nothing, over a dissemination plan',
  examples: [
    ['$0 bench round --plan multicast', 'one-phase over the multicast tree'],
    ['$0 bench round --plan numa --phases 2 --count 100 --from 3', 'a hundred two-phase rounds led by core 3'],
    ['$0 bench round --plan all', 'every plan, one after the other'],
  ],
  options: (cli) =>
    cli
      .option('plan', {
        type: 'string',
        requiresArg: true,
        default: 'multicast',
        choices: [...PLAN_KINDS, 'all'],
        describe: 'how the rounds spread',
      })
      .option('phases', {
        type: 'string',
        requiresArg: true,
        default: '1',
        choices: ['1', '2'],
        describe: 'of a round',
      })
      .option('count', { type: 'string', requiresArg: true, default: '10', describe: 'rounds' })
      .option('bytes', { type: 'string', requiresArg: true, default: '0', describe: 'payload' })
      .option('from', { type: 'string', requiresArg: true, default: '0', describe: 'the core that leads' }),
  async run(context) {
    const { args } = context;
    const plan = required(args, 'plan');
    const request = {
      phases: Number(required(args, 'phases')),
      count: wholeNumber('--count', required(args, 'count'), 1, 1_000_000),
      bytes: wholeNumber('--bytes', required(args, 'bytes'), 0, 64 << 10),
    };
    const from = coreNumber('--from', required(args, 'from'));
    const results: RoundSummary[] = [];
    for (const kind of plan === 'all' ? PLAN_KINDS : [plan]) {
      const summary = await context.cluster.core(from, 'round', { plan: kind, ...request }, { timeoutMs: LONG_MS });
      results.push(summary);
      if (!context.json) context.terminal.out(describeRound(summary));
    }
    if (context.json) printJson(context, results.length === 1 ? results[0] : results);
  },
};

const FLOOD: CtlCommand = {
  command: 'bench flood <from> <to>',
  describe: 'numbered messages as fast as the channel takes them',
  examples: [['$0 bench flood 0 1 --count 1000000', 'throughput, and whether anything is lost or duplicated']],
  options: (cli) =>
    cli
      .positional('from', { type: 'string', describe: 'the sender' })
      .positional('to', { type: 'string', describe: 'the receiver' })
      .option('count', { type: 'string', requiresArg: true, default: '100000', describe: 'messages' })
      .option('bytes', { type: 'string', requiresArg: true, default: '64', describe: 'payload' }),
  async run(context) {
    const { from, to } = pairOf(context.args);
    const count = wholeNumber('--count', required(context.args, 'count'), 1, 100_000_000);
    const bytes = wholeNumber('--bytes', required(context.args, 'bytes'), 0, 64 << 10);
    const result = await context.cluster.core(from, 'flood', { core: to, count, bytes }, { timeoutMs: LONG_MS });
    if (context.json) printJson(context, { from, to, bytes, ...result });
    else context.terminal.out(describeFlood(from, to, result));
    return isClean(result) ? 0 : 1;
  },
};

const BENCH_PING: CtlCommand = {
  command: 'bench ping <from> <to>',
  describe: 'a thousand round trips; otherwise like ping',
  examples: [['$0 bench ping 0 1 --count 10000', 'ten thousand']],
  options: (cli) => {
    pingOptions(cli);
    cli.default('count', '1000');
  },
  run: runPing,
};

export const BENCH: readonly CtlCommand[] = [
  ROUND,
  FLOOD,
  BENCH_PING,
  BENCH_REVOKE,
  BENCH_UNMAP,
  BENCH_SHARE,
  BENCH_QUEUES,
  BENCH_DISRUPTION,
];

function describeRound(summary: RoundSummary): string {
  const { plan, phases, cores, messages } = summary;
  const what = `${plan.padEnd(9)} ${phases}-phase over ${cores} cores: ${messages} messages a round`;
  return `${what}; ${describeTimes(summary, 'round')}`;
}

import { coreNumber, wholeNumber } from '../cli/values.ts';
import { type CtlCommand, printJson, required } from './context.ts';
import { domainEverywhere, flatPeers } from '../client/domains.ts';
import { describeTimes } from '../client/times.ts';

export const BENCH_REVOKE: CtlCommand = {
  command: 'bench revoke',
  describe: 'revokes with a copy on every core, against two-phase rounds that do nothing',
  examples: [['$0 bench revoke --count 50', 'fifty, from core 0']],
  options: (cli) =>
    cli
      .option('count', { type: 'string', requiresArg: true, default: '10', describe: 'revokes' })
      .option('from', { type: 'string', requiresArg: true, default: '0', describe: 'the core that revokes' }),
  async run(context) {
    const count = wholeNumber('--count', required(context.args, 'count'), 1, 10_000);
    const from = coreNumber('--from', required(context.args, 'from'));
    const domains = await domainEverywhere(context.cluster, { cnodes: 1, memory: 0 });
    const own = domains.find(({ core }) => core === from)?.domain ?? 0;
    const peers = flatPeers(domains.filter(({ core }) => core !== from));
    const request = { domain: own, peers, count };
    const summary = await context.cluster.core(from, 'bench_revoke', request, { timeoutMs: 30 * 60_000 });
    if (context.json) return printJson(context, summary);
    const { cores, messages, plan_messages: planned, revoke, round } = summary;
    context.terminal.out(
      `revoke over ${cores} cores: ${messages} messages, ${planned} by the plan; ${describeTimes(revoke, 'revoke')}`,
    );
    context.terminal.out(`two-phase round over the same plan: ${describeTimes(round, 'round')}`);
    context.terminal.out(`ratio of the medians: ${(revoke.p50 / round.p50).toFixed(2)}`);
    return messages === planned ? 0 : 1;
  },
};

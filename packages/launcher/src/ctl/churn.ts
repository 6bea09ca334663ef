import { wholeNumber } from '../cli/values.ts';
import { churnAndAudit, describeAuditedChurn, isSound } from '../client/churn.ts';
import { coresUp } from '../client/cores.ts';
import { type CtlCommand, printJson, required } from './context.ts';

export const CHURN: CtlCommand = {
  command: 'churn',
  describe: 'random capability operations on every core, with an oracle; audits afterwards',
  examples: [
    ['$0 churn --seconds 60', 'a minute of it'],
    ['$0 churn --operations 1000 --seed 7 --workers 4', 'by number; four domains a core'],
  ],
  options: (cli) =>
    cli
      .option('seconds', { type: 'string', requiresArg: true, default: '10', describe: 'how long' })
      .option('operations', {
        type: 'string',
        requiresArg: true,
        default: '1000000000',
        describe: 'at most this many for each domain',
      })
      .option('workers', { type: 'string', requiresArg: true, default: '2', describe: 'domains on each core' })
      .option('seed', { type: 'string', requiresArg: true, default: '1', describe: 'which operations' }),
  async run(context) {
    const { args, cluster, terminal } = context;
    const report = await churnAndAudit(cluster, await coresUp(cluster), {
      seconds: wholeNumber('--seconds', required(args, 'seconds'), 1, 86_400),
      operations: wholeNumber('--operations', required(args, 'operations'), 1, 1e9),
      seed: wholeNumber('--seed', required(args, 'seed'), 0, 2 ** 32 - 1),
      workers: wholeNumber('--workers', required(args, 'workers'), 1, 64),
    });
    if (context.json) printJson(context, report);
    else for (const line of describeAuditedChurn(report)) terminal.out(line);
    return isSound(report) ? 0 : 1;
  },
};

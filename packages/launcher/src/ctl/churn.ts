import { wholeNumber } from '../cli/values.ts';
import { describeAudit } from '../client/audit.ts';
import { churnAndAudit, describeChurn } from '../client/churn.ts';
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
      .option('operations', { type: 'string', requiresArg: true, default: '1000000000', describe: 'at most so many for each domain' })
      .option('workers', { type: 'string', requiresArg: true, default: '2', describe: 'domains on each core' })
      .option('seed', { type: 'string', requiresArg: true, default: '1', describe: 'which operations' }) as never,
  async run(context) {
    const { args, cluster, terminal } = context;
    const whole = (name: string, min: number, max: number): number => wholeNumber(`--${name}`, required(args, name), min, max);
    const request = { seconds: whole('seconds', 1, 86_400), operations: whole('operations', 1, 1e9), seed: whole('seed', 0, 2 ** 32 - 1), workers: whole('workers', 1, 64) };
    const total = await churnAndAudit(cluster, request);
    if (context.json) printJson(context, total);
    else for (const text of [...describeChurn(total), ...describeAudit(total.audit)]) terminal.out(text);
    return total.wrong.length === 0 && total.audit.quiet && total.audit.violations.length === 0 ? 0 : 1;
  },
};

import { LOG_THRESHOLDS } from '@mk/monitor-proto/log-events';
import { CommandError } from '../cli/usage-error.ts';
import { oneOf } from '../cli/values.ts';
import { askCores } from '../client/cores.ts';
import { type CtlCommand, printJson, required } from './context.ts';

export const LOG_LEVEL: CtlCommand = {
  command: 'log-level <level>',
  describe: 'sets the log level of the SKB and all cores',
  examples: [
    ['$0 log-level debug', 'every message: mkctl ui then shows them as they run'],
    ['$0 log-level info', 'as after a boot'],
  ],
  options: (cli) =>
    cli.positional('level', {
      type: 'string',
      choices: LOG_THRESHOLDS,
      describe: 'what is logged: this level and above',
    }),
  async run(context) {
    const level = oneOf('the level', required(context.args, 'level'), LOG_THRESHOLDS);
    const { cluster, terminal } = context;
    const cores = (await cluster.cores()).map(({ core }) => core);
    const [{ answers, absent }] = await Promise.all([
      askCores(cores, (core) => cluster.core(core, 'log_level', { level })),
      cluster.skb('log_level', { level }),
    ]);
    if (context.json) printJson(context, { level, cores: answers.map(({ core }) => core), absent });
    else terminal.out(`the SKB and ${answers.length} cores log from level ${level} on`);
    if (absent.length === 0) return;
    throw new CommandError(`not told: ${absent.map(({ core, why }) => `core ${core} (${why})`).join(', ')}`);
  },
};

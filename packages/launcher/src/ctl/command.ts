import { type Cli, runCli } from '../cli/run-cli.ts';
import { BENCH } from './bench.ts';
import { AUDIT, CAPS } from './capabilities.ts';
import { CHURN } from './churn.ts';
import { openContext, type CtlCommand } from './context.ts';
import { DOWN } from './down.ts';
import { FAULT_COMMANDS } from './faults.ts';
import { LINKS, MEASURE, TREE } from './topology.ts';
import { LOGS } from './logs.ts';
import { HEALTHZ, METRICS } from './health.ts';
import { PING } from './ping.ts';
import { ADD, CORES, CRASH, HANG, PS, RESTART } from './processes.ts';

const COMMANDS: readonly CtlCommand[] = [
  PS,
  CORES,
  LINKS,
  MEASURE,
  TREE,
  PING,
  ...BENCH,
  ...FAULT_COMMANDS,
  CRASH,
  RESTART,
  HANG,
  ADD,
  CAPS,
  AUDIT,
  CHURN,
  LOGS,
  METRICS,
  HEALTHZ,
  DOWN,
];

/** `mkctl`: looks at and acts on a running cluster. Resolves to the exit status. */
export async function mkctl(argv: readonly string[]): Promise<number> {
  let status = 0;
  const configure = (cli: Cli): Cli => {
    let all = cli
      .usage('$0 COMMAND [options]\n\nLooks at and acts on a running multikernel.')
      .option('cluster', {
        type: 'string',
        requiresArg: true,
        global: true,
        describe: 'the cluster’s name; needed when several run here',
      })
      .option('skb', {
        type: 'string',
        requiresArg: true,
        global: true,
        describe: 'the SKB’s host:port, for a cluster that runs elsewhere (MK_SKB_ADDRESS)',
      })
      .option('secret-file', {
        type: 'string',
        requiresArg: true,
        global: true,
        describe: 'with --skb: the cluster’s secret, hex (or MK_SECRET)',
      })
      .option('json', { type: 'boolean', default: false, global: true, describe: 'JSON for machines' }) as Cli;
    for (const command of topLevel()) all = add(all, command, (value) => (status = value));
    all = all.command('bench', 'measurements: round, flood, ping, revoke', ((sub: Cli) => {
      let bench = sub;
      for (const command of BENCH)
        bench = add(
          bench,
          { ...command, command: command.command.slice('bench '.length) },
          (value) => (status = value),
        );
      return bench.demandCommand(1, 'which one? bench round, bench flood, bench ping or bench revoke');
    }) as never) as Cli;
    return all
      .demandCommand(1, 'which command? mkctl ps shows what runs; mkctl --help lists the others')
      .epilogue(
        'Exit status: 0 done, 1 the cluster answered with an error, 2 a mistake in the command or nobody answered.',
      ) as Cli;
  };
  const failed = await runCli('mkctl', configure, argv);
  return failed === 0 ? status : failed;
}

function topLevel(): readonly CtlCommand[] {
  return COMMANDS.filter((command) => !command.command.startsWith('bench '));
}

function add(cli: Cli, command: CtlCommand, done: (status: number) => void): Cli {
  const builder = (sub: Cli): Cli => {
    let own = command.options?.(sub) ?? sub;
    for (const [example, what] of command.examples) own = own.example(example, what) as Cli;
    return own;
  };
  return cli.command(command.command, command.describe, builder as never, async (args) =>
    done((await command.run(openContext(args as never))) ?? 0),
  ) as Cli;
}

import { givenOptions, wrongCombination } from '@mk/machine/option-rules';
import { UsageError } from '../cli/usage-error.ts';
import { type Cli, declaring, runCli } from '../cli/run-cli.ts';
import { BENCH } from './bench.ts';
import { CAP } from './cap.ts';
import { AUDIT, CAPS } from './capabilities.ts';
import { CERTS } from './certs.ts';
import { CHAOS } from './chaos.ts';
import { CHURN } from './churn.ts';
import { NoClusterError } from '../client/cluster-client.ts';
import { processTerminal } from '../cli/terminal.ts';
import { type Args, type CtlCommand, type CtlContext, openContext } from './context.ts';
import { DOWN } from './down.ts';
import { DOCTOR } from './doctor.ts';
import { EXPLAIN } from './explain.ts';
import { KILL, WAIT } from './domains.ts';
import { FAULT_COMMANDS } from './faults.ts';
import { PLACE, SKB_QUERY } from './knowledge.ts';
import { OCTOPUS } from './octopus.ts';
import { LINKS, MEASURE, TREE } from './topology.ts';
import { MEM } from './memory.ts';
import { PAGES, VSPACE } from './address-spaces.ts';
import { LITMUS } from './litmus.ts';
import { LOG_LEVEL } from './log-level.ts';
import { LOGS } from './logs.ts';
import { HEALTHZ, METRICS } from './health.ts';
import { PING } from './ping.ts';
import { OFFENCES_COMMAND, ROGUE } from './rogue.ts';
import { RUN } from './run.ts';
import { TOP } from './top.ts';
import { TRACE } from './trace.ts';
import { UI } from './ui.ts';
import { VIEW } from './view.ts';
import { ADD, CORES, CRASH, HANG, PS, RESTART, SLOW } from './processes.ts';

const COMMANDS: readonly CtlCommand[] = [
  PS,
  KILL,
  WAIT,
  CORES,
  VIEW,
  TOP,
  TRACE,
  EXPLAIN,
  LINKS,
  MEASURE,
  TREE,
  PING,
  ...BENCH,
  ...FAULT_COMMANDS,
  CRASH,
  RESTART,
  HANG,
  SLOW,
  ROGUE,
  OFFENCES_COMMAND,
  ADD,
  ...CAP,
  CAPS,
  AUDIT,
  MEM,
  VSPACE,
  PAGES,
  LITMUS,
  CERTS,
  CHURN,
  CHAOS,
  SKB_QUERY,
  ...OCTOPUS,
  PLACE,
  RUN,
  LOGS,
  LOG_LEVEL,
  UI,
  METRICS,
  HEALTHZ,
  DOCTOR,
  DOWN,
];

interface Group {
  readonly describe: string;
  readonly commands: readonly CtlCommand[];
}

/** Commands of two words. */
const GROUPS: Readonly<Record<string, Group>> = {
  bench: {
    describe: 'measurements: round, flood, ping, revoke, unmap, share, queues, disruption',
    commands: BENCH,
  },
  cap: {
    describe: 'acts for a domain: make, send, retype, revoke, consent',
    commands: CAP,
  },
  oct: {
    describe: 'Octopus: records, waiting, publish/subscribe, locks, barriers, semaphores',
    commands: OCTOPUS,
  },
};

/** `mkctl`: inspects and acts on a running cluster. Resolves with the exit status. */
export async function mkctl(argv: readonly string[]): Promise<number> {
  let status = 0;
  const given = givenOptions(argv);
  const act: Act = async (command, args) => {
    const wrong = wrongCombination(given, command.rules ?? {});
    if (wrong !== null) throw new UsageError(wrong);
    status = (await perform(command, args)) ?? 0;
  };
  const configure = (cli: Cli): Cli => {
    globalOptions(cli.usage('$0 COMMAND [options]\n\nLooks at and acts on a running multikernel.'));
    for (const command of topLevel()) add(cli, command, act);
    for (const [name, group] of Object.entries(GROUPS)) addGroup(cli, name, group, act);
    return cli
      .demandCommand(1, 'which command? mkctl ps shows what runs; mkctl --help lists the others')
      .epilogue(
        'Exit status: 0 done, 1 the cluster answered with an error, 2 a mistake in the command or nobody answered.',
      );
  };
  const failed = await runCli('mkctl', configure, argv);
  return failed === 0 ? status : failed;
}

/** The options of every command. */
function globalOptions(cli: Cli): void {
  cli
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
    .option('tls', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe:
        'with --skb: a folder with ca.pem, client.pem and client.key, for a cluster that speaks TLS (MK_TLS_DIR)',
    })
    .option('tls-ca', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: 'with --skb: the authority’s certificate (MK_TLS_CA)',
    })
    .option('tls-cert', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: 'with --skb: the client’s certificate (MK_TLS_CERT)',
    })
    .option('tls-key', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: 'with --skb: the client’s key (MK_TLS_KEY)',
    })
    .option('json', { type: 'boolean', default: false, global: true, describe: 'JSON for machines' });
}

function topLevel(): readonly CtlCommand[] {
  return COMMANDS.filter(({ command }) => !Object.keys(GROUPS).some((name) => command.startsWith(`${name} `)));
}

function addGroup(cli: Cli, name: string, { describe, commands }: Group, act: Act): void {
  const builder = declaring((sub) => {
    const own = commands.map((command) => ({ ...command, command: command.command.slice(name.length + 1) }));
    for (const command of own) add(sub, command, act);
    sub.demandCommand(1, `which one? ${name} ${own.map(({ command }) => command.split(' ')[0]).join(', ')}`);
  });
  cli.command(name, describe, builder);
}

type Act = (command: CtlCommand, args: Args) => Promise<void>;

function add(cli: Cli, command: CtlCommand, act: Act): void {
  const builder = declaring((sub) => {
    command.options?.(sub);
    for (const [example, what] of command.examples) sub.example(example, what);
  });
  cli.command(command.command, command.describe, builder, (args: Args) => act(command, args));
}

async function perform(command: CtlCommand, args: Args): Promise<number | void> {
  const without = { args, terminal: processTerminal(), json: args['json'] === true };
  const alone = command.alone?.(without) ?? null;
  if (alone !== null) return alone;
  let context: CtlContext;
  try {
    context = openContext(args);
  } catch (error) {
    const told = error instanceof NoClusterError ? (command.afterwards?.(without) ?? null) : null;
    if (told === null) throw error;
    return told;
  }
  return command.run(context);
}

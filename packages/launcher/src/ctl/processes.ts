import { UsageError } from '../cli/usage-error.ts';
import { coreList, durationMs, wholeNumber } from '../cli/values.ts';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import { fetchText } from '@mk/libmk/io/control-call';
import { type Attendance, roster } from '../client/roster.ts';
import { plainTable } from '../display/ready-table.ts';
import { isRunning } from '@mk/libmk/io/process-identity';
import type { ProcessRow } from '../client/answers.ts';
import type { Target } from '../supervisor/process-control.ts';
import { printDomains } from './domains.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';
import { plural } from '@mk/machine/counted';

/** How long a crash, a restart or a join may take before mkctl gives up. */
const PROCESS_MS = 60_000;

export const PS: CtlCommand = {
  command: 'ps',
  describe: 'the processes of the cluster and their state',
  examples: [
    ['$0 ps', 'what runs where'],
    ['$0 ps --domains', 'the programs that run on the cores'],
    ['$0 ps --json | jq .[].pid', 'for machines'],
  ],
  options: (cli) =>
    cli.option('domains', {
      type: 'boolean',
      default: false,
      describe: 'domains of programs instead of processes',
    }),
  async run(context) {
    if (context.args['domains'] === true) return printDomains(context);
    const rows = await processRows(context);
    if (context.json) return printJson(context, rows);
    const table = plainTable(['process', 'pid', 'state', 'incarnation', 'address', '']);
    for (const row of rows)
      table.push([
        row.name,
        row.pid === 0 ? '' : String(row.pid),
        row.state,
        String(row.incarnation || ''),
        row.address,
        row.how,
      ]);
    context.terminal.out(table.toString());
  },
};

export const CORES: CtlCommand = {
  command: 'cores',
  describe: 'the cores as the registry knows them',
  examples: [['$0 cores', 'who is a member, and how many links each has']],
  async run(context) {
    const rows = await coresWithState(context);
    if (context.json) return printJson(context, rows);
    const severalHosts = new Set(rows.flatMap(({ host }) => host ?? [])).size > 1;
    const hostHead = severalHosts ? ['host'] : [];
    const table = plainTable([
      ...['core', 'package', 'incarnation', 'registry link', 'bound to', 'address', 'state'],
      ...hostHead,
    ]);
    for (const row of rows) {
      const { core, incarnation, links, address, state } = row;
      const cells = [core, row.package, incarnation, row.up ? 'up' : 'down', links, address, state];
      table.push([...cells, ...hostHead.map(() => row.host)].map((cell) => String(cell ?? '')));
    }
    context.terminal.out(table.toString());
  },
};

/** A core as the registry knows it, and its state; a core that is not a member has no package, host or incarnation. */
type CoreStateRow = Omit<CoreRow, 'package' | 'incarnation' | 'host'> & {
  readonly package: number | null;
  readonly host: string | null;
  readonly incarnation: number | null;
  readonly state: Attendance['state'];
};

/** The registry's rows with each core's state, then the cores that should be there but are not members. */
async function coresWithState({ cluster }: CtlContext): Promise<readonly CoreStateRow[]> {
  const [members, attendance] = await Promise.all([cluster.cores(), roster(cluster)]);
  const stateOf = new Map(attendance.map(({ process, state }) => [process, state]));
  const known = new Set(members.map(({ core }) => `core-${core}`));
  const others = attendance.filter(({ process }) => process.startsWith('core-') && !known.has(process));
  return [
    ...members.map((row) => ({ ...row, state: stateOf.get(`core-${row.core}`) ?? 'running' })),
    ...others.map(({ process, address, state }) => ({
      core: Number(process.slice('core-'.length)),
      package: null,
      host: null,
      incarnation: null,
      up: false,
      links: 0,
      address,
      state,
    })),
  ];
}

export const CRASH = processCommand('crash', 'kills cores at once (SIGKILL), or the SKB', 'crashed', [
  ['$0 crash 5', 'core 5 is gone without a word'],
  ['$0 crash 4-7', 'four of them'],
]);

export const RESTART = processCommand(
  'restart',
  'restarts cores as new incarnations; one that still runs is ended first',
  'restarted',
  [
    ['$0 restart 5', 'core 5 joins again'],
    ['$0 restart skb', 'the registry and topology service'],
  ],
);

export const HANG: CtlCommand = {
  command: 'hang <targets>',
  describe: 'stops cores without closing their sockets (SIGSTOP)',
  examples: [
    ['$0 hang 3 --for 2s', 'core 3 stops for two seconds'],
    ['$0 hang 3', 'until mkctl heal'],
  ],
  options: (cli) =>
    targets(cli).option('for', {
      type: 'string',
      requiresArg: true,
      describe: 'wake them after this long (2s); otherwise mkctl heal does',
    }),
  async run(context) {
    const forText = optional(context.args, 'for');
    const forMs = forText === undefined ? null : durationMs('--for', forText);
    await each(
      context,
      'hang',
      { for_ms: forMs },
      `stopped${forText === undefined ? '; mkctl heal wakes it' : ` for ${forText}`}`,
    );
  },
};

export const SLOW: CtlCommand = {
  command: 'slow <targets>',
  describe: 'slows cores down by a factor (SIGSTOP and SIGCONT by turns)',
  examples: [
    ['$0 slow 3 --factor 10 --for 5s', 'core 3 takes ten times as long for everything'],
    ['$0 slow 3 --factor 100', 'until mkctl heal'],
  ],
  options: (cli) =>
    targets(cli)
      .option('factor', {
        type: 'string',
        requiresArg: true,
        default: '10',
        describe: 'by what factor, up to 1000',
      })
      .option('for', { type: 'string', requiresArg: true, describe: 'how long (2s); otherwise until mkctl heal' }),
  async run(context) {
    const given = required(context.args, 'factor');
    const factor = /^\d{1,4}(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
    if (!(factor > 1 && factor <= 1000)) throw new UsageError(`--factor must be above 1 and up to 1000, not ${given}`);
    const forText = optional(context.args, 'for');
    const forMs = forText === undefined ? null : durationMs('--for', forText);
    const end = forText === undefined ? '; mkctl heal ends it' : ` for ${forText}`;
    await each(context, 'slow', { factor, for_ms: forMs }, `runs ${factor} times as slow${end}`);
  },
};

export const ADD: CtlCommand = {
  command: 'add [count]',
  describe: 'adds cores to the running cluster',
  examples: [
    ['$0 add 2', 'two more cores join'],
    ['$0 add --cores 2', 'the same'],
  ],
  options: (cli) =>
    cli
      .positional('count', { type: 'string', defaultDescription: '1', describe: 'how many' })
      .option('cores', { type: 'string', requiresArg: true, conflicts: 'count', describe: 'how many' }),
  async run(context) {
    const given = optional(context.args, 'cores');
    const count =
      given === undefined
        ? wholeNumber('count', optional(context.args, 'count') ?? '1', 1, 512)
        : wholeNumber('--cores', given, 1, 512);
    const added = await context.cluster.supervisor('add_cores', { count }, { timeoutMs: PROCESS_MS });
    if (context.json) return printJson(context, { added });
    context.terminal.out(`added ${plural(added.length, 'core')} ${added.join(', ')}`);
  },
};

type ProcessVerb = 'crash' | 'restart' | 'hang' | 'slow';

function processCommand(
  verb: ProcessVerb,
  describe: string,
  done: string,
  examples: CtlCommand['examples'],
): CtlCommand {
  return {
    command: `${verb} <targets>`,
    describe,
    examples,
    options: (cli) => targets(cli),
    run: (context) => each(context, verb, {}, done),
  };
}

function targets<T extends { positional(name: string, options: object): T }>(cli: T): T {
  return cli.positional('targets', { type: 'string', describe: 'cores (5, 0,3-7), or skb' });
}

/** Applies a verb to all targets at once; prints one line each. */
async function each(context: CtlContext, verb: ProcessVerb, args: object, done: string): Promise<void> {
  const list = targetsOf(context.args);
  const results = await Promise.all(
    list.map((target) => context.cluster.supervisor(verb, { target, ...args }, { timeoutMs: PROCESS_MS })),
  );
  if (context.json)
    return printJson(
      context,
      list.map((target, i) => ({ target, done: verb, ...results[i] })),
    );
  list.forEach((target, i) => {
    const incarnation = results[i]?.incarnation;
    context.terminal.out(
      `${target === 'skb' ? 'the SKB' : `core ${target}`} ${done}${incarnation ? ` as incarnation ${incarnation}` : ''}`,
    );
  });
}

function targetsOf(args: Args): Target[] {
  const text = required(args, 'targets');
  if (text === '') throw new UsageError('name a core, or skb');
  return text === 'skb' ? ['skb'] : coreList('core', text);
}

/** From the supervisor; without one, what can be seen from outside. */
async function processRows({ cluster }: CtlContext): Promise<readonly ProcessRow[]> {
  if (cluster.supervised) return cluster.supervisor('ps');
  if (cluster.record !== null) {
    return cluster.record.processes.map((process) => ({
      name: process.name,
      pid: process.pid,
      state: isRunning(process) ? 'running' : 'ended',
      incarnation: 0,
      address: process.address,
      how: 'its supervisor is gone',
    }));
  }
  const cores = new Map((await cluster.cores()).map((row) => [`core-${row.core}`, row]));
  return Promise.all(
    (await cluster.endpoints()).map(async ({ process, address }) => {
      const health = await fetchText(address, cluster.access, '/healthz', 3000).then(
        ({ status }) => (status === 200 ? 'running' : 'not ready'),
        () => 'unreachable',
      );
      return {
        name: process,
        pid: 0,
        state: health,
        incarnation: cores.get(process)?.incarnation ?? 0,
        address,
        how: '',
      };
    }),
  );
}

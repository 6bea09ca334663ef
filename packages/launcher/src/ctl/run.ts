import { entriesOf, keysOf, tableOf } from '@mk/monitor-proto/tables';
import { UsageError } from '../cli/usage-error.ts';
import { coreList, wholeNumber } from '../cli/values.ts';
import { isProgramFile } from '@mk/libmk/io/program-text';
import { programNamed } from '../programs/bundle.ts';
import { PROGRAM_OPTIONS, type Program, type ProgramOption, type ProgramOptions } from '../programs/program.ts';
import { namedOrUp, statusOf } from '../programs/program-run.ts';
import { SHIPPED, shippedProgram, type ShippedProgram } from '../programs/shipped.ts';
import { PROBES } from '../programs/table.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson } from './context.ts';
import { describePlacement, type Placement, placeCores, placementKind } from './placement.ts';
import { argumentsOf, printLine, runFile, runFollowed } from './run-file.ts';
import { ShellInput } from './run-shell.ts';
import { withSkb } from './with-skb.ts';

/** The search for a placement has its own budget; this leaves room for a busy host. */
const PLACE_MS = 10_000;

/** Where a program runs, and who chose that; null: the user did, or it runs on every core. */
interface Chosen {
  readonly cores: readonly number[];
  readonly placement: Placement | null;
}

type Runnable = ShippedProgram | Program;
const ALL: readonly Runnable[] = [...SHIPPED, ...PROBES];

export const RUN: CtlCommand = {
  command: 'run [program] [args..]',
  describe: 'runs a program that ships, or your own file, on cores that the SKB chooses or that you name',
  examples: [
    ['$0 run --list', 'the programs that ship'],
    ['$0 run ring --cores 4 --near', 'a token round four cores near one another, and how long a round takes'],
    ['$0 run ring --cores 4 --spread', 'the same, far apart'],
    ['$0 run churn --cores 4 --near --seconds 5', 'capability operations, checked'],
    ['$0 run pingpong --on 0,3-7', 'on these cores'],
    ['$0 run shell --on 2', 'a shell on core 2; it takes what you type'],
    ['$0 run ./hello.ts --on 0,2 -- --times 3', 'your own program, a domain a core; arguments after --'],
  ],
  options: (cli) => {
    let all = cli
      .positional('program', {
        type: 'string',
        describe: 'one that ships (--list), or a .ts or .js file that exports main',
      })
      .positional('args', { type: 'string', array: true, describe: 'of the program' })
      .option('list', { type: 'boolean', default: false, describe: 'list the programs that ship' })
      .option('cores', { type: 'string', requiresArg: true, describe: 'number of cores; the SKB chooses them' })
      .option('near', { type: 'boolean', default: false, describe: 'with --cores: near one another (the default)' })
      .option('spread', { type: 'boolean', default: false, describe: 'with --cores: far from one another' })
      .option('on', {
        type: 'string',
        requiresArg: true,
        describe: 'on these cores (0,3-7); without it and --cores on all',
      });
    for (const [name, { usual, doc }] of entriesOf(PROGRAM_OPTIONS)) {
      const takers = ALL.filter(({ takes }) => takes.includes(name)).map((program) => program.name);
      if (takers.length > 0)
        all = all.option(name, {
          type: 'string',
          requiresArg: true,
          describe: `${takers.join(', ')}: ${doc} (${usual})`,
        });
    }
    return all;
  },
  rules: { excludes: { list: ['cores', 'near', 'spread', 'on', ...keysOf(PROGRAM_OPTIONS)] } },
  async run(context) {
    if (context.args['list'] === true) return list(context);
    const word = optional(context.args, 'program');
    if (word === undefined)
      throw new UsageError('which program? mkctl run --list names those that ship; a file works as well');
    if (isProgramFile(word)) return runFile(context, word);
    const probe = PROBES.find(({ name }) => name === word);
    return probe === undefined ? runShipped(context, shippedProgram(word, PROBES)) : runProbe(context, probe);
  },
  afterwards: (context) => (context.args['list'] === true ? Promise.resolve(list(context)) : null),
};

function list({ terminal, json }: Pick<CtlContext, 'terminal' | 'json'>): number {
  if (json)
    terminal.out(
      JSON.stringify(
        ALL.map(({ name, doc, takes }) => ({ name, doc, takes })),
        null,
        2,
      ),
    );
  else for (const { name, doc } of ALL) terminal.out(`${name.padEnd(12)} ${doc}`);
  return 0;
}

async function runShipped(context: CtlContext, shipped: ShippedProgram): Promise<number> {
  const given = keysOf(PROGRAM_OPTIONS).flatMap((name) => {
    const value = givenOption(shipped, context.args, name);
    return value === undefined ? [] : [`--${name}`, String(value)];
  });
  const { cores, placement } = await choose(context, shipped);
  tellWhere(context, cores, placement);
  const program = await programNamed(shipped.name);
  const words = [...given, ...argumentsOf(context.args)];
  const on = shipped.domains === 'each' ? cores : cores.slice(0, 1);
  const lines: string[] = [];
  const input = shipped.name === 'shell' && words.length === 0 && !context.json ? new ShellInput(context) : null;
  const request = { program, cores, on, args: context.json ? [...words, '--json'] : words };
  const domains = await runFollowed(context, request, (line, several) => {
    if (context.json) lines.push(line.text);
    else printLine(context, line, several);
    input?.printed(line.text);
  });
  const status = statusOf(domains);
  if (context.json)
    printJson(context, { program: shipped.name, ok: status === 0, cores, placement, result: resultIn(lines), domains });
  return status;
}

/** A program's result for machines: its last line if that is JSON, else its whole output. */
function resultIn(lines: readonly string[]): unknown {
  try {
    return JSON.parse(lines.at(-1) ?? '');
  } catch {
    return lines;
  }
}

async function runProbe(context: CtlContext, probe: Program): Promise<number> {
  const options = optionsOf(probe, context.args);
  const { cores, placement } = await choose(context, probe);
  tellWhere(context, cores, placement);
  const { ok, lines, value } = await probe.run({ cluster: context.cluster, cores, options });
  if (context.json) printJson(context, { program: probe.name, ok, cores, placement, result: value });
  else for (const line of lines) context.terminal.out(line);
  return ok ? 0 : 1;
}

function tellWhere({ json, terminal }: CtlContext, cores: readonly number[], placement: Placement | null): void {
  if (!json) terminal.out(placement === null ? `on cores ${cores.join(' ')}` : describePlacement(placement));
}

/** The given option, checked; undefined: it was not given. */
function givenOption({ name, takes }: Runnable, args: Args, option: ProgramOption): number | undefined {
  const text = optional(args, option);
  if (text === undefined) return undefined;
  if (!takes.includes(option))
    throw new UsageError(
      `${name} takes no --${option}; it takes ${takes.map((own) => `--${own}`).join(', ') || 'none'}`,
    );
  const { min, max } = PROGRAM_OPTIONS[option];
  return wholeNumber(`--${option}`, text, min, max);
}

function optionsOf(probe: Program, args: Args): ProgramOptions {
  return tableOf(
    keysOf(PROGRAM_OPTIONS),
    (option) => givenOption(probe, args, option) ?? PROGRAM_OPTIONS[option].usual,
  );
}

async function choose(context: CtlContext, program: Runnable): Promise<Chosen> {
  const { args } = context;
  const kind = placementKind(args);
  const count = optional(args, 'cores');
  const on = optional(args, 'on');
  if (on !== undefined && (count !== undefined || kind !== null))
    throw new UsageError(
      '--on names the cores; --cores, --near and --spread let the SKB choose: give one or the other',
    );
  if (count === undefined && kind !== null)
    throw new UsageError(`--${kind === 'near' ? 'near' : 'spread'} needs --cores N: how many`);
  if (count !== undefined) {
    const wanted = wholeNumber('--cores', count, program.fewestCores, 4096);
    const placement = await withSkb(context, (skb) =>
      placeCores(skb, kind ?? 'near', wanted, { timeLimitMs: PLACE_MS }),
    );
    return { cores: placement.cores, placement };
  }
  const cores = await namedOrUp(context.cluster, on === undefined ? null : coreList('--on', on));
  if (cores.length < program.fewestCores)
    throw new UsageError(`${program.name} needs at least ${program.fewestCores} cores`);
  return { cores, placement: null };
}

import { nearest } from '@mk/machine/nearest';
import { coresUp } from '../client/cores.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { coreList, wholeNumber } from '../cli/values.ts';
import { PROGRAM_OPTIONS, type Program, type ProgramOption, type ProgramOptions } from '../programs/program.ts';
import { PROGRAMS } from '../programs/table.ts';
import { isProgramFile } from '../programs/bundle.ts';
import { runFile } from './run-file.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';
import { describePlacement, type Placement, placeCores, placementKind } from './placement.ts';
import { withSkb } from './with-skb.ts';

/** The search for a placement has a budget of its own; this is for a busy host. */
const PLACE_MS = 10_000;
const NAMES = PROGRAMS.map(({ name }) => name).join(', ');

/** Where a program runs, and who said so; null: the person did, or it is every core. */
interface Chosen {
  readonly cores: readonly number[];
  readonly placement: Placement | null;
}

export const RUN: CtlCommand = {
  command: 'run <program> [args..]',
  describe: 'runs a program, or your own file, on cores that the SKB chooses or that you name',
  examples: [
    ['$0 run ring --cores 4 --near', 'a token round four cores near one another, and how long a round takes'],
    ['$0 run ring --cores 4 --spread', 'the same, far apart'],
    ['$0 run churn --cores 4 --near --seconds 5', 'capability operations, checked'],
    ['$0 run pingpong --on 0,3-7', 'on these cores'],
    ['$0 run ./hello.ts --on 0,2 -- --times 3', 'your own program, a domain a core; arguments after --'],
  ],
  options: (cli) => {
    let all = cli
      .positional('program', {
        type: 'string',
        describe: `${PROGRAMS.map(({ name, doc }) => `${name}: ${doc}`).join('; ')}; or a .ts or .js file that exports main`,
      })
      .positional('args', { type: 'string', array: true, describe: 'of your own program' })
      .option('cores', { type: 'string', requiresArg: true, describe: 'on so many cores; the SKB says which' })
      .option('near', { type: 'boolean', default: false, describe: 'with --cores: near one another (the default)' })
      .option('spread', { type: 'boolean', default: false, describe: 'with --cores: far from one another' })
      .option('on', {
        type: 'string',
        requiresArg: true,
        describe: 'on these cores (0,3-7); without it and --cores on all',
      });
    for (const [name, { usual, doc }] of Object.entries(PROGRAM_OPTIONS)) {
      const takers = PROGRAMS.filter(({ takes }) => takes.includes(name as ProgramOption)).map(
        (program) => program.name,
      );
      all = all.option(name, {
        type: 'string',
        requiresArg: true,
        describe: `${takers.join(', ')}: ${doc} (${usual})`,
      });
    }
    return all as never;
  },
  async run(context) {
    const word = required(context.args, 'program');
    if (isProgramFile(word)) return runFile(context, word);
    const program = programOf(word);
    const options = optionsOf(program, context.args);
    const { cores, placement } = await choose(context, program);
    const where = placement === null ? `on cores ${cores.join(' ')}` : describePlacement(placement);
    if (!context.json) context.terminal.out(where);
    const { ok, lines, value } = await program.run({ cluster: context.cluster, cores, options });
    if (context.json) printJson(context, { program: program.name, ok, cores, placement, result: value });
    else for (const line of lines) context.terminal.out(line);
    return ok ? 0 : 1;
  },
};

function programOf(name: string): Program {
  const found = PROGRAMS.find((program) => program.name === name);
  if (found !== undefined) return found;
  const guess = nearest(
    name,
    PROGRAMS.map((program) => program.name),
  );
  throw new UsageError(
    `there is no program ${name}${guess === null ? '' : ` (did you mean ${guess}?)`}; there are ${NAMES}`,
  );
}

function optionsOf({ name, takes }: Program, args: Args): ProgramOptions {
  const values = Object.entries(PROGRAM_OPTIONS).map(([option, { usual, min, max }]) => {
    const text = optional(args, option);
    if (text === undefined) return [option, usual] as const;
    if (!takes.includes(option as ProgramOption))
      throw new UsageError(`${name} takes no --${option}; it takes ${takes.map((own) => `--${own}`).join(', ')}`);
    return [option, wholeNumber(`--${option}`, text, min, max)] as const;
  });
  return Object.fromEntries(values) as unknown as ProgramOptions;
}

async function choose(context: CtlContext, program: Program): Promise<Chosen> {
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
  const up = await coresUp(context.cluster);
  const cores = on === undefined ? up : coreList('--on', on);
  const down = cores.find((core) => !up.includes(core));
  if (down !== undefined) throw new CommandError(`core ${down} is not up; mkctl cores lists those that are`);
  if (cores.length < program.fewestCores)
    throw new UsageError(`${program.name} needs at least ${program.fewestCores} cores`);
  return { cores, placement: null };
}

import type { CommandModule } from 'yargs';
import { runNemesisCommand } from './commands/nemesis-command.ts';
import { runShootdownCommand } from './commands/shootdown-command.ts';
import { type SimTerminal, simTerminal } from './io/terminal.ts';
import { OptionError, parseSimRequest } from './commands/options.ts';

/** What the launcher tells the command: where the shipped machines are, and who wants the exit status. */
export interface SimCommandContext {
  machinesDirectory(): string;
  done(status: number): void;
  readonly terminal?: SimTerminal;
}

/** Exit statuses, as links.md has them for fault plans. */
export const EXIT = { held: 0, broke: 1, unknown: 2 } as const;

/** The command `sim`: the same kernel on virtual time. */
export function simCommand(context: SimCommandContext): CommandModule<object, Readonly<Record<string, unknown>>> {
  return {
    command: 'sim [scenario]',
    describe: 'run the same kernel on virtual time: seeds, fault plans, the paper’s shootdown',
    builder: ((cli: OptionBuilder) => declareOptions(cli)) as never,
    handler: (args) => context.done(runSim(args, context)),
  };
}

/** Runs what the options ask for; the exit status. */
export function runSim(args: Readonly<Record<string, unknown>>, context: SimCommandContext): number {
  const terminal = context.terminal ?? simTerminal();
  try {
    const request = parseSimRequest(args);
    const run = request.scenario === 'shootdown' ? runShootdownCommand : runNemesisCommand;
    return run(request, { terminal, machinesDirectory: context.machinesDirectory() });
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    terminal.error(`mk-launch sim: ${error.message}`);
    return EXIT.unknown;
  }
}

/** The part of yargs that options are declared with. */
interface OptionBuilder {
  positional(name: string, options: object): OptionBuilder;
  option(name: string, options: object): OptionBuilder;
  example(command: string, text: string): OptionBuilder;
  epilogue(text: string): OptionBuilder;
}

const TEXT = { type: 'string', requiresArg: true } as const;
const SWITCH = { type: 'boolean' } as const;

function declareOptions(cli: OptionBuilder): OptionBuilder {
  return cli
    .positional('scenario', {
      type: 'string',
      describe: 'nemesis: faults from the seed or a plan; shootdown: the paper’s table',
      choices: ['nemesis', 'shootdown'],
      default: 'nemesis',
    })
    .option('cores', { ...TEXT, describe: 'simulated cores; nemesis without it: 2 to 6, from the seed' })
    .option('machine', { ...TEXT, describe: 'shipped machine or file (default flat; shootdown: amd-8x4)' })
    .option('seed', { ...TEXT, describe: 'the first seed (default 1)' })
    .option('seeds', { ...TEXT, describe: 'how many seeds, one after another (default 1)' })
    .option('plan', { ...TEXT, describe: 'fault plan (YAML) in the place of the nemesis' })
    .option('for', { ...TEXT, describe: 'how long faults go on, in virtual time (default 5s, for some seeds 18s)' })
    .option('weights', { ...TEXT, describe: 'how often each kind of fault comes, like crash=5,link=0' })
    .option('once', { ...SWITCH, describe: 'run each seed once; without it twice, and the traces must be the same' })
    .option('shrink', { ...SWITCH, describe: 'remove faults and load from a failing seed while it still fails' })
    .option('replay', { ...TEXT, describe: 'run the scenario that --shrink wrote' })
    .option('trace', {
      ...TEXT,
      describe: 'write PREFIX.json (Chrome trace), PREFIX.svg (space-time diagram), PREFIX.log (log lines)',
    })
    .option('out', { ...TEXT, describe: 'shootdown: write the plot to this SVG file' })
    .option('json', { ...SWITCH, describe: 'one JSON document on stdout' })
    .example('$0 sim --seed 7 --seeds 1000', 'a thousand seeds under the nemesis')
    .example('$0 sim --cores 256 --machine amd-8x4 --seed 7 --plan p.yaml', 'a fault plan on a large machine')
    .example('$0 sim --seed 24 --shrink --trace runs/24', 'the smallest failing case, and pictures of it')
    .example('$0 sim shootdown --machine amd-8x4', 'the paper’s figure 6, as a table; --out FILE.svg draws it')
    .epilogue('Exit status: 0 every invariant held, 1 one broke, 2 the run itself failed or the options are wrong.');
}

import { parseFaultPlan } from '@mk/machine/fault-plan';
import { keysOf } from '@mk/monitor-proto/tables';
import type { CommandModule } from 'yargs';
import { readText } from '@mk/machine/io/load';
import { parseScenario } from './nemesis/scenario-file.ts';
import { processJobs, serveJob } from './io/jobs.ts';
import type { SimProgram } from './commands/context.ts';
import { DISRUPTION_PROGRAM, runDisruptionCommand } from './commands/disruption-command.ts';
import { runShareCommand, SHARE_PROGRAM } from './commands/share-command.ts';
import { jobOf, runNemesisCommand, runNemesisJobs } from './commands/nemesis-command.ts';
import { runShootdownCommand } from './commands/shootdown-command.ts';
import { type SimTerminal, simTerminal } from './io/terminal.ts';
import { OptionError, parseSimRequest, recordingOf, SCENARIOS, type SimRequest } from './commands/options.ts';
import { runUnmapCommand, UNMAP_PROGRAM } from './commands/unmap-command.ts';
import { programOfPlan } from './nemesis/plan-scenario.ts';

type Args = Readonly<Record<string, unknown>>;

/** What the launcher provides: the folder of the shipped machines, and a receiver of the exit status. */
export interface SimCommandContext {
  machinesDirectory(): string;
  done(status: number): void;
  readonly terminal?: SimTerminal;
  /** Bundles a file, or finds a shipped program; throws what the command line reports. */
  program?(word: string): Promise<SimProgram>;
  /** Shows a recorded run in a browser until it is interrupted. */
  show?(file: string, json: boolean): Promise<void>;
}

/** Exit statuses; see docs/guides/write-a-fault-plan.md. */
const EXIT = { held: 0, broke: 1, unknown: 2 } as const;

/** The command `sim`: the same kernel on virtual time. */
export function simCommand(context: SimCommandContext): CommandModule<object, Readonly<Record<string, unknown>>> {
  return {
    command: 'sim [scenario] [program] [args..]',
    describe: 'run the same kernel on virtual time: seeds, fault plans, programs, the paper’s shootdown',
    builder: ((cli: OptionBuilder) => declareExamples(declareResults(declareOptions(cli)))) as never,
    handler: async (args) => {
      if (args['job'] === true) return beJob(context);
      const status = await runSimJobs(args, context, await programFor(args, context));
      if (args['ui'] === true && status !== EXIT.unknown)
        await context.show?.(recordingOf(args), args['json'] === true);
      context.done(status);
    },
  };
}

/** Runs what the options ask for on as many processes as `--jobs` says; returns the exit status. */
async function runSimJobs(args: Args, context: SimCommandContext, program: SimProgram | null): Promise<number> {
  if (args['jobs'] === undefined) return runSim(args, context, program);
  const terminal = context.terminal ?? simTerminal();
  try {
    const request = parseSimRequest(args);
    const machinesDirectory = context.machinesDirectory();
    return await runNemesisJobs(request, { terminal, machinesDirectory, program }, processJobs(args));
  } catch (error) {
    return refused(error, terminal);
  }
}

async function beJob(context: SimCommandContext): Promise<void> {
  try {
    await serveJob((args) => prepareJob(args, context));
  } catch (error) {
    context.done(refused(error, context.terminal ?? simTerminal()));
  }
}

/** A child of `--jobs`: the same options, and the launcher's program. */
async function prepareJob(args: Args, context: SimCommandContext): Promise<ReturnType<typeof jobOf>> {
  const program = await programFor(args, context);
  return jobOf(parseSimRequest(args), { machinesDirectory: context.machinesDirectory(), program });
}

async function programFor(args: Args, context: SimCommandContext): Promise<SimProgram | null> {
  const scenario = args['scenario'];
  const measuring = MEASURING[String(scenario)];
  const word =
    scenario === 'run'
      ? args['program']
      : (measuring ?? replayedProgram(args['replay']) ?? plannedProgram(args['plan']));
  return word === undefined ? null : ((await context.program?.(String(word))) ?? null);
}

function refused(error: unknown, terminal: SimTerminal): number {
  if (!(error instanceof OptionError)) throw error;
  terminal.progress('');
  terminal.error(`mk-launch sim: ${error.message}`);
  return EXIT.unknown;
}

/** Runs what the options ask for in this process, whatever `--jobs` says; returns the exit status. */
export function runSim(args: Args, context: SimCommandContext, program: SimProgram | null = null): number {
  const terminal = context.terminal ?? simTerminal();
  try {
    const request = parseSimRequest(args);
    return COMMANDS[request.scenario](request, { terminal, machinesDirectory: context.machinesDirectory(), program });
  } catch (error) {
    return refused(error, terminal);
  }
}

const COMMANDS: { readonly [S in SimRequest['scenario']]: typeof runNemesisCommand } = {
  nemesis: runNemesisCommand,
  run: runNemesisCommand,
  shootdown: runShootdownCommand,
  unmap: runUnmapCommand,
  share: runShareCommand,
  disruption: runDisruptionCommand,
};

/** The programs that scenarios of figures run. */
const MEASURING: Readonly<Record<string, string | undefined>> = {
  unmap: UNMAP_PROGRAM,
  share: SHARE_PROGRAM,
  disruption: DISRUPTION_PROGRAM,
};

/**
 * The program of a scenario file; undefined if there is none, or if the file cannot be read, which is reported when it
 * is read again.
 */
function replayedProgram(file: unknown): string | undefined {
  const text = file === undefined ? null : readText(String(file));
  const scenario = text?.ok === true ? parseScenario(text.value) : null;
  return scenario?.ok === true ? scenario.value.program?.program : undefined;
}

/**
 * The program of a plan's workload; undefined if there is none, or if the plan cannot be read, which is reported when
 * it is read again.
 */
function plannedProgram(file: unknown): string | undefined {
  const text = file === undefined ? null : readText(String(file));
  const plan = text?.ok === true ? parseFaultPlan(text.value) : null;
  return plan?.ok === true ? programOfPlan(plan.value)?.program : undefined;
}

/** The part of yargs that declares options. */
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
      describe:
        'nemesis: faults from the seed or a plan; run: a program; shootdown: the paper’s table; unmap: a page’s, the whole call; share: shared memory against messages; disruption: what an unmap costs whom it interrupts; litmus: litmus tests on shared frames, all or the one named',
      choices: [...keysOf(SCENARIOS), 'litmus'], // which is `run litmus`: program-arguments.ts
      default: 'nemesis',
    })
    .positional('program', {
      type: 'string',
      describe: 'run: a .ts or .js file that exports main, or a program that ships',
    })
    .positional('args', { type: 'string', array: true, describe: 'run: arguments of the program, and its options' })
    .option('cores', { ...TEXT, describe: 'simulated cores; nemesis without it: 2 to 6, from the seed' })
    .option('machine', {
      ...TEXT,
      describe: 'shipped machine or file (default flat; shootdown, unmap and disruption: amd-8x4, share: amd-4x4)',
    })
    .option('seed', { ...TEXT, describe: 'the first seed (default 1)' })
    .option('seeds', { ...TEXT, describe: 'how many seeds, one after another (default 1); see --jobs' })
    .option('jobs', { ...TEXT, describe: 'processes that share the seeds, or auto: one a CPU (default 1)' })
    .option('job', { ...SWITCH, hidden: true, describe: 'of --jobs: be one of its processes' })
    .option('plan', { ...TEXT, describe: 'fault plan (YAML) in the place of the nemesis' })
    .option('runs', {
      ...TEXT,
      defaultDescription: 'MK_RUNS_DIR, else runs',
      describe: 'with --plan: the folder for its report; latest is the newest',
    })
    .option('nemesis', {
      ...SWITCH,
      describe: 'run: faults from the seed, too; otherwise, without --plan, there are none',
    })
    .option('on', { ...TEXT, describe: 'run: a domain on each of these cores (0,3-7); without it one on core 0' })
    .option('limit', { ...TEXT, describe: 'run: virtual time in which the program has to end (default 5m)' })
    .option('for', { ...TEXT, describe: 'how long faults go on, in virtual time (default 5s, for some seeds 18s)' })
    .option('weights', { ...TEXT, describe: 'how often each kind of fault comes, like crash=5,link=0' })
    .option('once', { ...SWITCH, describe: 'run each seed once; without it twice, and the traces must be the same' })
    .option('shrink', { ...SWITCH, describe: 'remove faults and load from a failing seed while it still fails' })
    .option('replay', { ...TEXT, describe: 'run the scenario that --shrink wrote' });
}

/** Declares the options about a run's output. */
function declareResults(cli: OptionBuilder): OptionBuilder {
  return cli
    .option('trace', {
      ...TEXT,
      describe: 'write PREFIX.json (Chrome trace), PREFIX.svg (space-time diagram), PREFIX.log (log lines)',
    })
    .option('trace-events', { ...TEXT, describe: 'write the Chrome trace alone to this file' })
    .option('op', { ...TEXT, describe: 'with --trace or --trace-events: one operation, like 3.1.42' })
    .option('from', { ...TEXT, describe: 'with them: from this virtual time on (1.2s)' })
    .option('to', { ...TEXT, describe: 'with them: up to this virtual time' })
    .option('record', { ...TEXT, describe: 'write the first seed’s run into this file, for mkctl ui --replay' })
    .option('ui', { ...SWITCH, describe: 'show the first seed’s run in a browser when it is over' })
    .option('out', { ...TEXT, describe: 'shootdown, unmap, share: write the plot to this SVG file' })
    .option('json', { ...SWITCH, describe: 'one JSON document on stdout' });
}

function declareExamples(cli: OptionBuilder): OptionBuilder {
  return cli
    .example('$0 sim --seed 7 --seeds 1000', 'a thousand seeds under the nemesis')
    .example('$0 sim --seeds 1000 --jobs auto', 'the same on all CPUs; on a terminal it says when it will be done')
    .example('$0 sim --cores 256 --machine amd-8x4 --seed 7 --plan p.yaml', 'a fault plan on a large machine')
    .example(
      '$0 sim run ./my-program.ts --cores 64 --seed 7 --plan p.yaml',
      'your own program, the same file as on processes',
    )
    .example('$0 sim run bank --seeds 100 --nemesis', 'a program that ships, a hundred seeds with faults')
    .example(
      '$0 sim litmus IRIW --cores 4 --runs 1000 --plan p.yaml',
      'outcomes counted; its own options: --runs, --pages one|two|homes, --kind coherent|private',
    )
    .example('$0 sim --seed 24 --shrink --trace runs/24', 'the smallest failing case, and pictures of it')
    .example('$0 sim shootdown --machine amd-8x4', 'the paper’s figure 6, as a table; --out FILE.svg draws it')
    .example('$0 sim unmap --cores 16 --out unmap.svg', 'figure 7: an unmap by four plans, and where its time goes')
    .example('$0 sim share --out share.svg', 'figure 3: shared memory against messages')
    .example('$0 sim disruption --cores 8', 'what each core that an unmap interrupts loses, by four plans')
    .epilogue(
      'Exit status: 0 every invariant held and programs ended with 0, 1 one broke, 2 the run itself failed or the options are wrong.',
    );
}

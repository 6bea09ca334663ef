import type { CommandModule } from 'yargs';
import type { SimProgram } from '@mk/sim/commands/context';
import { withProgramArguments } from '../cli/program-arguments.ts';
import { asksForTables, type Cli, runCli } from '../cli/run-cli.ts';
import { processTerminal } from '../cli/terminal.ts';
import { runDetached } from './detach.ts';
import { runForeground } from './foreground.ts';
import { contextText, inSources, programNamed } from '../programs/bundle.ts';
import { machinesDirectory } from '../boot/machine.ts';
import { launchOptions, parseLaunchRequest } from './options.ts';
import { ENDING } from '@mk/monitor-proto/io/ending-signals';

/** Makes a command; `done` gets its exit status. */
export type CommandMaker = (done: (status: number) => void) => CommandModule;

/** `mk-launch`: boots a multikernel, or runs one of `more`. Resolves with the exit status. */
export async function mkLaunch(argv: readonly string[], more: readonly CommandMaker[]): Promise<number> {
  let status = 0;
  const boot = async (args: Readonly<Record<string, unknown>>): Promise<void> => {
    const request = parseLaunchRequest(args);
    const terminal = processTerminal();
    status = await (request.detach ? runDetached(request, terminal) : runForeground(request, terminal));
  };
  const done = (value: number): void => void (status = value);
  const sim = await simulatorCommand(argv, done);
  const failed = await runCli(
    'mk-launch',
    (cli) => configure(cli, boot, [...more.map((make) => make(done)), sim]),
    withProgramArguments(argv),
  );
  return failed === 0 ? status : failed;
}

function configure(
  cli: Cli,
  boot: (args: Readonly<Record<string, unknown>>) => Promise<void>,
  commands: readonly CommandModule[],
): Cli {
  return cli
    .usage(
      '$0 [options]\n\nBoots a multikernel: one process a core, and the system knowledge base. ' +
        'Ctrl-C ends it cleanly; a second one, at once.',
    )
    .command('$0', 'boot a multikernel and stay, printing what happens', launchOptions, (args) => boot(args))
    .command([...commands])
    .example('$0 --cores 32', 'boot 32 cores; Ctrl-C ends them')
    .example(
      '$0 --cores 8 --machine amd-8x4 --latency 2ms --jitter 0.2ms --seed 7 --log-dir runs/a',
      'a modelled machine, slower links, logs in files',
    )
    .example('$0 --cores 4 --detach', 'in the background; mkctl down ends it')
    .example('$0 --cores 4 --plan faults.yaml', 'inject faults by plan; exit 0 held, 1 broke, 2 unknown')
    .example('$0 sim --cores 64 --seed 7', 'the same kernel on virtual time')
    .epilogue(
      'Exit status: 0 clean end, 1 a plan’s invariant broke, 2 a mistake in the options, a failed boot or a forced ' +
        'end.\nSee also: mkctl --help.',
    );
}

/** The simulator is a large program, loaded on request only, so that no boot waits for it. */
async function simulatorCommand(argv: readonly string[], done: (status: number) => void): Promise<CommandModule> {
  const placeholder: CommandModule = {
    command: 'sim [scenario] [program] [args..]',
    describe: 'run the same kernel on virtual time: seeds, fault plans, programs, the paper’s shootdown',
    handler: () => undefined,
  };
  if (!argv.includes('sim') && !asksForTables(argv)) return placeholder;
  const { simCommand } = await import('@mk/sim/cli');
  return simCommand({ machinesDirectory, done, program: simProgram, show: showRecording }) as CommandModule;
}

/** Serves a recorded run until this process is interrupted. */
async function showRecording(file: string, json: boolean): Promise<void> {
  const [{ openPage }, { ReplaySource }] = await Promise.all([
    import('../ui/open-page.ts'),
    import('../ui/replay-source.ts'),
  ]);
  const page = await openPage({ host: '127.0.0.1', port: 0, names: [] }, new ReplaySource(file));
  const terminal = processTerminal();
  terminal.out(json ? JSON.stringify({ type: 'page', url: page.url }) : `page     ${page.url}  (Ctrl-C ends it)`);
  await new Promise<void>((resolve) => {
    for (const signal of ENDING) process.once(signal, () => resolve());
  });
  page.close();
}

/** A program for the simulator: the very text that a core runs. */
async function simProgram(word: string): Promise<SimProgram> {
  const program = await programNamed(word);
  return { ...program, contextText: contextText(), inSources: (text) => inSources(text, program) };
}

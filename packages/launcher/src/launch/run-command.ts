import { outputLines } from '@mk/libmk/dispatcher/output-lines';
import type { CommandModule } from 'yargs';
import type { Cores } from '../client/cores.ts';
import { declaring } from '../cli/run-cli.ts';
import { processTerminal, type Terminal } from '../cli/terminal.ts';
import { CommandError } from '../cli/usage-error.ts';
import { coreList } from '../cli/values.ts';
import { jsonLine } from '../cli/machine-output.ts';
import { parseLine } from '../display/log-printer.ts';
import { inSources, programNamed } from '../programs/bundle.ts';
import { OpenDomains } from '../programs/open-domains.ts';
import {
  describeEnd,
  type NamedProgram,
  placesOf,
  runDomains,
  type RunRequest,
  statusOf,
} from '../programs/program-run.ts';
import { ClusterSession } from '../supervisor/cluster-session.ts';
import { sessionCores } from '../supervisor/session-cores.ts';
import { onInterrupts } from '../cli/interrupts.ts';
import { clusterOptions, parseClusterConfig } from './options.ts';
import { ProgressDisplay } from './progress.ts';

type Args = Readonly<Record<string, unknown>>;

/** `mk-launch run PROGRAM`: boots, runs, prints, shuts down. The exit status is the program's. */
export function runCommand(done: (status: number) => void): CommandModule {
  return {
    command: 'run <program> [args..]',
    describe: 'boot, run a program on it, print what it prints, shut down',
    builder: declaring((cli) =>
      clusterOptions(cli)
        .positional('program', {
          type: 'string',
          describe: 'a .ts or .js file that exports main, or a program that ships (mkctl run --list)',
        })
        .positional('args', { type: 'string', array: true, describe: 'arguments of the program, and its options' })
        .option('name', {
          type: 'string',
          requiresArg: true,
          describe: 'the cluster’s name; a new one by default',
        })
        .option('on', { type: 'string', requiresArg: true, describe: 'a domain on each of these cores (0,3-7)' })
        .option('json', { type: 'boolean', default: false, describe: 'JSON lines for machines' })
        .example('$0 --cores 4 run ./my-program.ts --rounds 10', 'your own file; what follows it are its arguments')
        .example('$0 --cores 8 run bank', 'a program that ships')
        .epilogue('Exit status: the program’s; 1 when it did not exit by itself, 2 when it could not be run.'),
    ),
    handler: async (args) => done(await bootAndRun(args, processTerminal())),
  };
}

async function bootAndRun(args: Args, terminal: Terminal): Promise<number> {
  const program = await programNamed(String(args['program'])); // nothing boots for a program that does not compile
  const on = args['on'] === undefined ? null : coreList('--on', String(args['on']));
  const name = args['name'] === undefined ? `run-${process.pid}` : String(args['name']);
  const { config: asked } = parseClusterConfig(args, name, false);
  // Programs' output is logged as info.
  const config = { ...asked, logLevel: asked.logLevel === 'debug' ? asked.logLevel : 'info' } as const;
  const run = new BootedRun(new Output(terminal, args['json'] === true), program);
  const progress = new ProgressDisplay(terminal);
  const session = new ClusterSession(config, {
    progress: (now) => run.output.json || progress.update(now),
    logged: (_process, line) => run.logged(line),
    died: (who, how, lastWords) =>
      terminal.error(`mk: ${who} died (${how})${lastWords === '' ? '' : `: ${lastWords}`}`),
    warned: (_process, text) => terminal.error(`mk: ${text}`),
    shutdownAsked: () => run.interrupt('ended by mkctl down'),
  });
  let booted = false;
  const release = onInterrupts({
    first: () => (booted ? run.interrupt('interrupted') : session.supervisor.interruptBoot()),
    second: () => void session.closeNow().then(() => process.exit(2)),
    last: () => session.supervisor.killAllNow(),
  });
  try {
    await session.open().finally(() => progress.end());
    booted = true;
    const cores = sessionCores(session);
    const places = await placesOf(cores, program, on);
    const given = Array.isArray(args['args']) ? args['args'].map(String) : [];
    return await run.run(cores, { program, ...places, args: given });
  } finally {
    await session.close();
    release();
  }
}

/** What a run prints: the program's lines with core and domain, and how it ended. */
class Output {
  constructor(
    readonly terminal: Terminal,
    readonly json: boolean,
  ) {}

  line(line: {
    readonly core: number | string;
    readonly domain: string;
    readonly text: string;
    readonly isError: boolean;
  }): void {
    if (this.json) return this.terminal.out(jsonLine({ type: 'output', ...line }));
    const text = outputLines(line.core, line.domain, line.text);
    if (line.isError) this.terminal.error(text);
    else this.terminal.out(text);
  }
}

class BootedRun {
  private readonly domains: OpenDomains;
  private stop: (error: Error) => void = () => undefined;
  private readonly stopped = new Promise<never>((_resolve, reject) => (this.stop = reject));

  constructor(
    readonly output: Output,
    private readonly program: NamedProgram,
  ) {
    this.domains = new OpenDomains((line) => output.line({ ...line, text: inSources(line.text, program) }));
    this.stopped.catch(() => undefined);
  }

  logged(text: string): void {
    const line = parseLine(text);
    if (line !== null) this.domains.line(line);
  }

  interrupt(why: string): void {
    this.stop(new CommandError(why, 2));
  }

  async run(cluster: Cores, request: RunRequest): Promise<number> {
    const { domains, output, program } = this;
    const running = runDomains(cluster, request, (domain) => domains.begun(domain));
    const statuses = await Promise.race([running, this.stopped]);
    domains.haveBegun();
    await Promise.race([domains.allOver(), this.stopped]);
    for (const status of statuses) {
      if (output.json) output.terminal.out(jsonLine({ type: 'ended', ...status }));
      else if (status.cause !== 'exited') output.terminal.error(describeEnd(status, program));
    }
    return statusOf(statuses);
  }
}

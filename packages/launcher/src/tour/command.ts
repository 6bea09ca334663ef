import type { CommandModule } from 'yargs';
import { declaring } from '../cli/run-cli.ts';
import { processTerminal, type Terminal } from '../cli/terminal.ts';
import { CommandError } from '../cli/usage-error.ts';
import { onInterrupts } from '../cli/interrupts.ts';
import type { ResolvedMachine } from '../boot/machine.ts';
import { clusterOptions, parseClusterConfig } from '../launch/options.ts';
import { ProgressDisplay } from '../launch/progress.ts';
import { configuredLatency } from '../display/ready-table.ts';
import { isRunning } from '@mk/libmk/io/process-identity';
import { ClusterSession } from '../supervisor/cluster-session.ts';
import type { ClusterConfig } from '../boot/cluster-config.ts';
import { CHAPTERS } from './chapters.ts';
import { Tour } from './tour.ts';
import { servePage } from '../launch/serve-page.ts';

const DEFAULTS = { cores: '32', machine: 'amd-8x4' };

/** `mk-launch tour`: what `npm start` runs. Exit status 0 when every check held, 1 when one did not. */
export function tourCommand(done: (status: number) => void): CommandModule {
  return {
    command: 'tour',
    describe: 'boot 32 cores, show what a multikernel does, check it, shut down',
    builder: declaring((cli) =>
      clusterOptions(cli, DEFAULTS)
        .example('$0 tour', 'what npm start runs')
        .example('$0 tour --cores 8', 'on a smaller machine')
        .epilogue('Exit status: 0 every check held, 1 one did not, 2 the tour could not be run.'),
    ),
    handler: async (args) => {
      const { config, machine } = parseClusterConfig(args, `tour-${process.pid}`, false, DEFAULTS);
      done(await runTour(config, machine, processTerminal()));
    },
  };
}

async function runTour(config: ClusterConfig, machine: ResolvedMachine, terminal: Terminal): Promise<number> {
  terminal.out(`seed ${config.seed}`);
  const startedAt = performance.now();
  const progress = new ProgressDisplay(terminal);
  let ready = false;
  let tour: Tour | null = null;
  let interrupt: (error: Error) => void = () => undefined;
  const interrupted = new Promise<never>((_resolve, reject) => (interrupt = reject));
  interrupted.catch(() => undefined);
  const session = new ClusterSession(config, {
    servePage,
    progress: (now) => progress.update(now),
    logged: (_process, line) => tour?.logged(line),
    died: (who, how, lastWords) => terminal.out(`  ${who} died (${how})${lastWords === '' ? '' : `: ${lastWords}`}`),
    shutdownAsked: () => interrupt(new CommandError('ended by mkctl down', 2)),
  });
  const release = onInterrupts({
    first: () => (ready ? interrupt(new CommandError('interrupted', 2)) : session.supervisor.interruptBoot()),
    second: () => void session.closeNow().then(() => process.exit(2)),
    last: () => session.supervisor.killAllNow(),
  });
  tour = new Tour(session, machine, terminal);
  try {
    const of = CHAPTERS.length + 2;
    tour.begin('Boot: one process a core, every core knows every other', 1, of);
    const result = await session.open().finally(() => progress.end());
    ready = true;
    const pairs = (config.cores * (config.cores - 1)) / 2;
    tour.check(
      `${result.cores} cores and the SKB booted in ${(result.elapsedMs / 1000).toFixed(2)} s; ${result.links} of ${pairs} pairs know each other`,
      result.links === pairs,
    );
    tour.say(`links: ${configuredLatency(session, machine)}`);
    for (const [i, chapter] of CHAPTERS.entries()) {
      tour.begin(chapter.title, i + 2, of);
      await Promise.race([chapter.run(tour), interrupted]);
    }
    tour.begin('Shutdown', of, of);
    await shutDown(tour);
  } finally {
    await session.close();
    release();
  }
  return summary(tour, performance.now() - startedAt);
}

async function shutDown(tour: Tour): Promise<void> {
  const processes = [...tour.session.supervisor.processes.values()];
  await tour.session.close();
  tour.check(
    `all ${processes.length} processes have ended`,
    processes.every(({ identity }) => !isRunning(identity)),
  );
}

function summary({ checks, terminal }: Tour, elapsedMs: number): number {
  const broken = checks.filter(({ held }) => !held);
  const { colour } = terminal;
  terminal.out('');
  for (const { chapter, what } of broken) terminal.out(colour.red(`✗ ${chapter}: ${what}`));
  const text = `${checks.length - broken.length} of ${checks.length} checks held, in ${(elapsedMs / 1000).toFixed(0)} s`;
  terminal.out(broken.length === 0 ? colour.green(text) : colour.red(text));
  return broken.length === 0 ? 0 : 1;
}

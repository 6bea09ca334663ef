import type { CommandModule } from 'yargs';
import { isRunning } from '@mk/libmk/io/process-identity';
import { title } from '../boot/boot-machine.ts';
import { jsonLine } from '../cli/machine-output.ts';
import { declaring } from '../cli/run-cli.ts';
import { processTerminal } from '../cli/terminal.ts';
import { CommandError } from '../cli/usage-error.ts';
import { checkClusterName } from '../cli/cluster-name.ts';
import { StateDirectory } from '../state/state-directory.ts';
import { startDaemon, withoutSecret } from './detach.ts';

/**
 * `mk-launch takeover`: a new supervisor for a detached cluster whose own was killed, running in the background like
 * that one.
 */
export function takeoverCommand(done: (status: number) => void): CommandModule {
  return {
    command: 'takeover',
    describe: 'supervise a detached cluster whose supervisor was killed; its cores go on meanwhile',
    builder: declaring((cli) =>
      cli
        .option('name', {
          type: 'string',
          requiresArg: true,
          describe: 'which cluster; needed where several have lost their supervisor',
        })
        .option('json', { type: 'boolean', default: false, describe: 'one JSON line for machines' })
        .example('$0 takeover', 'then mkctl ps, restart, add and down work again')
        .example('$0 takeover --name a', 'one of several'),
    ),
    handler: async (args) => done(await runTakeover(args)),
  };
}

async function runTakeover(args: Readonly<Record<string, unknown>>): Promise<number> {
  const terminal = processTerminal();
  const json = args['json'] === true;
  const name = args['name'] === undefined ? orphanedCluster() : checkClusterName(String(args['name']));
  const { record, processes } = await startDaemon(
    { type: 'take_over', name },
    'taken_over',
    () => undefined,
    (text) => terminal.error(`mk: ${text}`),
  );
  if (json) {
    terminal.out(jsonLine({ type: 'taken_over', ...withoutSecret(record), states: processes }));
    return 0;
  }
  const ended = processes.filter(({ state }) => state === 'ended').map((row) => title(row.name));
  const gone = ended.length === 0 ? '' : `; ended: ${ended.join(', ')} (mkctl restart starts them again)`;
  terminal.out(
    `took over cluster ${name}: ${processes.length - ended.length} processes run${gone}; supervisor ${record.supervisor.pid}`,
  );
  return 0;
}

/** The only cluster here whose supervisor is gone. */
function orphanedCluster(): string {
  const state = new StateDirectory();
  const running = state.running();
  const orphans = running.filter(({ supervisor }) => !isRunning(supervisor)).map(({ name }) => name);
  const [only] = orphans;
  if (only !== undefined && orphans.length === 1) return only;
  if (orphans.length > 1)
    throw new CommandError(
      `${orphans.length} clusters have lost their supervisor (${orphans.join(', ')}); say which with --name`,
      2,
    );
  throw new CommandError(
    running.length === 0
      ? `no cluster runs here (looked in ${state.path})`
      : `every cluster that runs here has its supervisor (${running.map(({ name }) => name).join(', ')}); there is nothing to take over`,
    running.length === 0 ? 2 : 1,
  );
}

import { CommandError } from '../cli/usage-error.ts';
import { ClusterClient } from '../client/cluster-client.ts';
import { title } from '../boot/boot-machine.ts';
import { isRunning, type ProcessIdentity, signal } from '@mk/libmk/io/process-identity';
import { type ClusterRecord, isAlive } from '@mk/libmk/io/cluster-record';
import { StateDirectory } from '../state/state-directory.ts';
import { succeed } from '../state/succession.ts';
import { type CtlCommand, printJson } from './context.ts';

type NamedProcess = ClusterRecord['supervisor'];

/** How long each way of ending may take before the next, harder one. */
const ASKED_MS = 15_000;
const TERMINATED_MS = 5000;
const KILLED_MS = 3000;

export const DOWN: CtlCommand = {
  command: 'down',
  describe: 'ends every process of the cluster',
  examples: [
    ['$0 down', 'cleanly'],
    ['$0 down --cluster a', 'one of several'],
  ],
  async run(context) {
    const { cluster } = context;
    if (cluster.record === null)
      throw new CommandError(
        `the processes of ${cluster.name} were not started by mk-launch on this host; end them with docker compose down`,
      );
    const how = await takeDown(...(await undisturbed(cluster, cluster.record)));
    if (context.json) printJson(context, { cluster: cluster.name, processes: cluster.record.processes.length, how });
    else
      context.terminal.out(
        `cluster ${cluster.name} is down (${cluster.record.processes.length} processes ended${how === 'asked' ? '' : `; ${how}`})`,
      );
  },
};

/**
 * The cluster, secured against a takeover: by its running supervisor, or by this process as the heir of one that is
 * gone (decision 0172). A takeover in progress is waited for; then its supervisor is asked.
 */
async function undisturbed(
  cluster: ClusterClient,
  record: ClusterRecord,
): Promise<readonly [ClusterClient, ClusterRecord]> {
  const state = new StateDirectory();
  const until = performance.now() + ASKED_MS;
  for (let now: ClusterRecord | null = record; now !== null && isAlive(now); now = state.read(record.name)) {
    if (isRunning(now.supervisor)) {
      const current = now === record ? cluster : ClusterClient.open({ cluster: record.name });
      return [current, current.record ?? now];
    }
    try {
      succeed(state.path, now);
      break;
    } catch (error) {
      if (!(error instanceof CommandError) || performance.now() > until) break; // it is ended by signals in that case
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return [cluster, record];
}

/** Asks the supervisor, then terminates, then kills what still runs. Afterwards nothing of the cluster runs. */
async function takeDown(cluster: ClusterClient, record: ClusterRecord): Promise<string> {
  const state = new StateDirectory();
  if (cluster.supervised) {
    await cluster.supervisor('shutdown').catch(() => undefined);
    const processes = current(state, record);
    if (
      await cluster.waiting(
        () => describeRunning(processes),
        () => allGone(processes, ASKED_MS),
      )
    )
      return 'asked';
  }
  const left = current(state, record).filter(isRunning);
  for (const process of left) signal(process, 'SIGCONT');
  for (const process of left) signal(process, 'SIGTERM');
  let how = 'by signal, for their supervisor was gone';
  if (
    !(await cluster.waiting(
      () => describeRunning(left),
      () => allGone(left, TERMINATED_MS),
    ))
  ) {
    for (const process of left) signal(process, 'SIGKILL');
    how = 'some had to be killed';
    if (!(await allGone(left, KILLED_MS)))
      throw new CommandError(
        `these processes of cluster ${record.name} cannot be ended: ${left
          .filter(isRunning)
          .map(({ pid }) => pid)
          .join(', ')}`,
      );
  }
  state.remove(record.name);
  return how;
}

/** The names of the processes that have not ended. */
function describeRunning(processes: readonly NamedProcess[]): string {
  const names = processes.filter(isRunning).map(({ name }) => (name === 'supervisor' ? 'the supervisor' : title(name)));
  return names.length === 0 ? 'the last process to end' : `${[...new Set(names)].join(', ')} to end`;
}

/** The processes as recorded now: a core may have been restarted since the record was read. */
function current(state: StateDirectory, record: ClusterRecord): NamedProcess[] {
  const now = state.read(record.name);
  return [record, ...(now === null ? [] : [now])].flatMap(({ supervisor, processes }) => [supervisor, ...processes]);
}

async function allGone(processes: readonly ProcessIdentity[], withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (processes.some(isRunning)) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return true;
}

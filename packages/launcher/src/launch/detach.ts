import { known } from '@mk/monitor-proto/assert';
import { jsonLine } from '../cli/machine-output.ts';
import { type ChildProcess, spawn } from 'node:child_process';
import type { Terminal } from '../cli/terminal.ts';
import { CommandError } from '../cli/usage-error.ts';
import { actingUrl } from '../boot/page-place.ts';
import { accessOf } from '@mk/libmk/io/control-call';
import { askProcess } from '../client/ask.ts';
import type { ClusterConfig } from '../boot/cluster-config.ts';
import { newRunLogs } from '../state/run-logs.ts';
import type { BootResult } from '../supervisor/supervisor.ts';
import type { ClusterRecord } from '@mk/libmk/io/cluster-record';
import { stateDirectoryPath } from '@mk/libmk/io/state-path';
import { startError } from '../supervisor/start-error.ts';
import { DAEMON_VARIABLE, type DaemonMessage, type DaemonOrder } from './daemon.ts';
import type { LaunchRequest } from './options.ts';
import { ProgressDisplay } from './progress.ts';
import { ENDING } from '@mk/monitor-proto/io/ending-signals';

/** Starts a supervisor that outlives this process, waits until the cluster is ready, and leaves it running. */
export async function runDetached(request: LaunchRequest, terminal: Terminal): Promise<number> {
  const config: ClusterConfig = {
    ...request.config,
    detached: true,
    logDir: request.config.logDir ?? newRunLogs(request.config.name, new Date()),
  };
  terminal.out(request.json ? JSON.stringify({ type: 'seed', seed: config.seed }) : `seed ${config.seed}`);
  const progress = new ProgressDisplay(terminal);
  try {
    const { result, record } = await startDaemon(
      { type: 'boot', config },
      'ready',
      (message) => request.json || progress.update(message.progress),
      (text) => {
        progress.end();
        terminal.error(`mk: ${text}`);
      },
    );
    progress.end();
    terminal.out(
      request.json
        ? jsonLine({ type: 'ready', ...result, ...withoutSecret(record) })
        : readyLine(config, result, record),
    );
    if (request.page !== null) await tellPage(request, record, terminal);
    return 0;
  } finally {
    progress.end();
  }
}

/** The cluster is up, whatever happens to its page. */
async function tellPage({ page, json }: LaunchRequest, record: ClusterRecord, terminal: Terminal): Promise<void> {
  const access = accessOf(record.secret, record.tls ?? null);
  const { url } = await askProcess('supervisor', record.supervisor.address, access, 'ui', { ...page });
  const address = actingUrl(url, access.token);
  terminal.out(json ? JSON.stringify({ type: 'page', url: address }) : `page     ${address}`);
}

/** Starts a supervisor in the background; resolves with its report that it is done, and then leaves it alone. */
export function startDaemon<T extends 'ready' | 'taken_over'>(
  order: DaemonOrder,
  done: T,
  onProgress: (message: Extract<DaemonMessage, { type: 'progress' }>) => void,
  onWarning: (text: string) => void,
): Promise<Extract<DaemonMessage, { type: T }>> {
  return new Promise((resolve, reject) => {
    const daemon = startChild(order);
    const settle = (then: () => void): void => {
      for (const name of ENDING) process.off(name, abort);
      then();
    };
    const abort = (): void => void daemon.kill('SIGTERM');
    for (const name of ENDING) process.on(name, abort);
    daemon.on('message', (message) => {
      const said = message as DaemonMessage;
      if (said.type === 'progress') return onProgress(said);
      if (said.type === 'warning') return onWarning(said.text);
      settle(() => {
        if (said.type === 'failed') return reject(new CommandError(said.text, said.status));
        if (!isOfType(said, done)) return reject(new CommandError(`the supervisor said ${said.type}`, 2));
        daemon.disconnect();
        daemon.unref();
        resolve(said);
      });
    });
    daemon.on('error', (error) => settle(() => reject(startError('the supervisor', error))));
    daemon.on('exit', (code, signal) =>
      settle(() =>
        reject(new CommandError(`the supervisor ended before it was done (${signal ?? `exit status ${code}`})`, 2)),
      ),
    );
  });
}

function isOfType<T extends DaemonMessage['type']>(
  message: DaemonMessage,
  type: T,
): message is Extract<DaemonMessage, { type: T }> {
  return message.type === type;
}

function startChild(order: DaemonOrder): ChildProcess {
  try {
    const daemon = spawn(process.execPath, [known(process.argv[1])], {
      // It works in /, where a relative path would mean another folder.
      env: { ...process.env, MK_STATE_DIR: stateDirectoryPath(), [DAEMON_VARIABLE]: '1' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true,
      cwd: '/',
    });
    // Not in the environment: a machine description may be too large for it, and the secret must not be readable there.
    if (daemon.pid !== undefined) daemon.send(order, () => undefined);
    return daemon;
  } catch (error) {
    throw startError('the supervisor', error);
  }
}

function readyLine(config: ClusterConfig, result: BootResult, record: ClusterRecord): string {
  const option = config.name === 'mk' ? '' : ` --cluster ${config.name}`;
  const elapsed = `${(result.elapsedMs / 1000).toFixed(2)} s to boot`;
  return [
    `ready: ${result.cores} cores, ${result.links} links, ${elapsed}; supervisor ${record.supervisor.pid}`,
    `logs     ${config.logDir}`,
    `go on    mkctl ps${option}  |  mkctl links${option}  |  mkctl down${option}`,
  ].join('\n');
}

/** The part of a record that may be shown. */
export function withoutSecret({
  secret: _secret,
  tls: _tls,
  ...rest
}: ClusterRecord): Omit<ClusterRecord, 'secret' | 'tls'> {
  return rest;
}

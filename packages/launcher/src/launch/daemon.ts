import { asError } from '@mk/monitor-proto/thrown';
import { once } from 'node:events';
import { ClusterSession, type SessionObserver } from '../supervisor/cluster-session.ts';
import { takeOver } from '../supervisor/take-over.ts';
import type { ClusterConfig } from '../boot/cluster-config.ts';
import { type BootProgress } from '../boot/boot-machine.ts';
import { CommandError } from '../cli/usage-error.ts';
import type { ProcessRow } from '../client/answers.ts';
import type { BootResult } from '../supervisor/supervisor.ts';
import type { ClusterRecord } from '@mk/libmk/io/cluster-record';
import { PlanDesk } from './plan-desk.ts';
import { servePage } from './serve-page.ts';

/** The first message to a detached supervisor: its order. */
export type DaemonOrder =
  | { readonly type: 'boot'; readonly config: ClusterConfig }
  /** Succeed the supervisor of this cluster, which was killed. */
  | { readonly type: 'take_over'; readonly name: string };

/** The reports of a detached supervisor to the `mk-launch` that started it. */
export type DaemonMessage =
  | { readonly type: 'progress'; readonly progress: BootProgress }
  | { readonly type: 'ready'; readonly result: BootResult; readonly record: ClusterRecord }
  | { readonly type: 'taken_over'; readonly record: ClusterRecord; readonly processes: readonly ProcessRow[] }
  | { readonly type: 'warning'; readonly text: string }
  | { readonly type: 'failed'; readonly text: string; readonly status: 1 | 2 };

/** The environment variable that makes `mk-launch` a supervisor: its parent's first message is its order. */
export const DAEMON_VARIABLE = 'MK_SUPERVISE';

/**
 * Supervises a detached cluster. Until boot is complete the cluster belongs to the `mk-launch` in the foreground, and
 * ends with it. Afterwards the daemon stays until `mkctl down`, and its cores survive even if the daemon is killed.
 */
export async function runDaemon(): Promise<number> {
  const [order] = (await once(process, 'message')) as [DaemonOrder];
  let ready = false;
  let finish: (status: number) => void = () => undefined;
  const end = new Promise<number>((resolve) => (finish = resolve));
  const observer: SessionObserver = {
    servePage,
    planPort: (own) => new PlanDesk(own),
    progress: (progress) => tell({ type: 'progress', progress }),
    warned: (_process, text) => tell({ type: 'warning', text }),
    shutdownAsked: () => finish(0),
  };
  let session: ClusterSession | null = null;
  const stop = (): void => {
    // A supervisor that could not take over leaves the cluster as it is.
    if (ready) finish(0);
    else if (order.type === 'take_over') process.exit(2);
    else session?.supervisor.interruptBoot();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => undefined); // the terminal that we were started from does not concern us
  process.on('disconnect', () => {
    if (!ready) stop();
  });
  try {
    if (order.type === 'boot') {
      session = new ClusterSession(order.config, observer);
      const result = await session.open();
      tell({ type: 'ready', result, record: session.record() });
    } else {
      session = await takeOver(order.name, observer);
      tell({ type: 'taken_over', record: session.record(), processes: session.control.ps() });
    }
    ready = true;
  } catch (error) {
    const status = error instanceof CommandError ? error.exitCode : 2;
    tell({ type: 'failed', text: asError(error).message, status });
    if (process.connected) process.disconnect();
    return status;
  }
  const status = await end;
  await session.close();
  return status;
}

function tell(message: DaemonMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

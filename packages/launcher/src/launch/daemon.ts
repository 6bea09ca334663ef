import { asError } from '@mk/monitor-proto/thrown';
import { once } from 'node:events';
import { ClusterSession } from '../supervisor/cluster-session.ts';
import type { ClusterConfig } from '../boot/cluster-config.ts';
import { type BootProgress } from '../boot/boot-machine.ts';
import type { BootResult } from '../supervisor/supervisor.ts';
import type { ClusterRecord } from '@mk/libmk/io/cluster-record';
import { PlanDesk } from './plan-desk.ts';
import { servePage } from './serve-page.ts';

/** What a detached supervisor tells the `mk-launch` that started it. */
export type DaemonMessage =
  | { readonly type: 'progress'; readonly progress: BootProgress }
  | { readonly type: 'ready'; readonly result: BootResult; readonly record: ClusterRecord }
  | { readonly type: 'warning'; readonly text: string }
  | { readonly type: 'failed'; readonly text: string };

/** The environment variable that makes `mk-launch` a supervisor: its parent's first message is the cluster. */
export const DAEMON_VARIABLE = 'MK_SUPERVISE';

/**
 * Supervises a detached cluster. Until boot is complete the cluster belongs to the `mk-launch` in front of it: if that
 * ends, all ends. After it the daemon stays until `mkctl down`, and its cores stay even if the daemon is killed.
 */
export async function runDaemon(): Promise<number> {
  const [config] = (await once(process, 'message')) as [ClusterConfig];
  let ready = false;
  let finish: (status: number) => void = () => undefined;
  const end = new Promise<number>((resolve) => (finish = resolve));
  const session = new ClusterSession(config, {
    servePage,
    planPort: (own) => new PlanDesk(own),
    progress: (progress) => tell({ type: 'progress', progress }),
    warned: (_process, text) => tell({ type: 'warning', text }),
    shutdownAsked: () => finish(0),
  });
  const stop = (): void => {
    if (ready) finish(0);
    else session.supervisor.interruptBoot();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => undefined); // the terminal that started us is not ours
  process.on('disconnect', () => {
    if (!ready) stop();
  });
  try {
    const result = await session.open();
    ready = true;
    tell({ type: 'ready', result, record: session.record() });
  } catch (error) {
    tell({ type: 'failed', text: asError(error).message });
    if (process.connected) process.disconnect();
    return 2;
  }
  const status = await end;
  await session.close();
  return status;
}

function tell(message: DaemonMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** Ends by a signal a command that waits or holds something: it first gives back what others wait for. */
import { ENDING } from '@mk/monitor-proto/io/ending-signals';
import { callAfter } from '@mk/monitor-proto/io/long-timer';

/** A signal ended a wait: nothing was acquired. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly by: NodeJS.Signals) {
    super(`interrupted by ${by}`);
  }
}

/** Our own signal comes at once; a debugger may hold it up. */
const SIGNAL_MS = 1000;

/** Gives `work` a signal that aborts when the process is asked to end. Asked again, it ends at once. */
export async function interruptibly<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const off = (): void => ENDING.forEach((name) => void process.off(name, heard));
  const heard = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      off();
      process.kill(process.pid, name);
    }
    controller.abort(new Interrupted(name));
  };
  for (const name of ENDING) process.on(name, heard);
  try {
    return await work(controller.signal);
  } finally {
    off();
  }
}

/** Runs a command with `interruptibly` in it; if it was interrupted, the process ends by that signal, as tools do. */
export async function endingBySignal<T>(command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    process.kill(process.pid, error.by);
    await new Promise((resolve) => setTimeout(resolve, SIGNAL_MS));
    throw error;
  }
}

/** Resolves at the abort, or after `afterMs`. */
export function untilAborted(signal: AbortSignal, afterMs: number | null): Promise<void> {
  return new Promise((resolve) => {
    const timer = afterMs === null ? undefined : callAfter(afterMs, resolve);
    const end = (): void => {
      timer?.cancel();
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/**
 * Waits that their caller can abandon at any moment, even while the service does not answer: programs set deadlines
 * with AbortSignal.timeout. Anything that an abandoned request still obtains is given back when its answer comes.
 */
import type { CancelSignal } from '../runtime/cancellation.ts';

/** Resolves as `work` does, or rejects with the signal's reason as soon as that aborts; `late` then gets the result. */
export function unlessAborted<T>(
  work: Promise<T>,
  signal: CancelSignal | undefined,
  late: (result: T) => Promise<unknown> | void,
): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    let given = false;
    const giveUp = (): void => {
      given = true;
      reject(signal.reason);
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
    const settled = (settle: () => void, undo: () => unknown): void => {
      signal.removeEventListener('abort', giveUp);
      if (given) undo();
      else settle();
    };
    work.then(
      (result) =>
        settled(
          () => resolve(result),
          () => inVain(late(result)),
        ),
      (error: unknown) =>
        settled(
          () => reject(error),
          () => undefined,
        ),
    );
  });
}

/** Waits for the trigger of an armed query; an abort removes it and rejects. */
export async function aborting<T>(
  armed: { readonly woken: Promise<T>; cancel(): Promise<void> },
  signal: CancelSignal | undefined,
): Promise<T> {
  try {
    return await unlessAborted(armed.woken, signal, () => undefined);
  } finally {
    inVain(armed.cancel()); // nothing, unless it was given up
  }
}

/** Cleanup: if the service or its link is gone, there is nothing left to clean up. */
export function inVain(work: Promise<unknown> | void): void {
  work?.catch(() => undefined);
}

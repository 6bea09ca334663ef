import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { CancelSignal } from './cancellation.ts';
import { formatLine } from './format.ts';
import { MkError } from './mk-error.ts';
import type { RunQueue } from './run-queue.ts';

/** How long a call may wait. By default until what it waits for happens or becomes impossible. */
export interface WaitOptions {
  /** Nanoseconds from now; past it the call ends in DEADLINE_EXCEEDED. 0: do not wait. */
  readonly timeoutNs?: Nanos;
  /** A time of `mk.now()`; the earlier of the two counts. */
  readonly deadline?: Nanos;
  /** Cancels the wait. */
  readonly signal?: CancelSignal;
}

/** What waits are built on. */
export interface Clockwork {
  readonly queue: RunQueue;
  readonly timers: TimerQueue;
  now(): Nanos;
}

/** Ends a wait. */
export interface Waker<T> {
  wake(value: T): void;
  fail(error: unknown): void;
}

/**
 * Waits for the holder of the waker that `arm` gets, at most as long as the options allow. `arm` returns the function
 * that cancels the wait, called once however the wait ends.
 */
export function waitFor<T>(
  clock: Clockwork,
  what: string,
  options: WaitOptions,
  arm: (waker: Waker<T>) => () => void,
): Promise<T> {
  const { signal } = options;
  const deadline = deadlineOf(clock.now(), options);
  const parked = clock.queue.park<T>(what);
  let disarm: () => void = nothing;
  const end = (settle: () => void): void => {
    if (!parked.open) return;
    settle();
    clock.timers.cancel(timer);
    signal?.removeEventListener('abort', onAbort);
    disarm();
  };
  const fail = (error: unknown): void => end(() => parked.fail(error));
  const onAbort = (): void => fail(known(signal).reason);
  const late = (): void => fail(new MkError('DEADLINE_EXCEEDED', `${what} did not come in time`));
  const timer = deadline === Infinity || deadline <= clock.now() ? null : clock.timers.set(deadline, late);
  disarm = arm({ wake: (value) => end(() => parked.wake(value)), fail });
  if (!parked.open) disarm();
  else if (signal?.aborted === true) onAbort();
  else if (deadline <= clock.now()) late();
  else signal?.addEventListener('abort', onAbort);
  return parked.promise;
}

/** When the options' time is over; Infinity: never. Throws BAD_REQUEST for what is no time. */
export function deadlineOf(now: Nanos, { timeoutNs, deadline }: WaitOptions): Nanos {
  const after = timeoutNs === undefined ? Infinity : now + nanosOf('timeoutNs', timeoutNs);
  return Math.min(after, deadline === undefined ? Infinity : nanosOf('deadline', deadline));
}

/** A time that a program gave; throws BAD_REQUEST, as it would order no queue of timers. */
export function nanosOf(what: string, given: Nanos): Nanos {
  if (typeof given === 'number' && !Number.isNaN(given)) return given;
  throw new MkError(
    'BAD_REQUEST',
    `${what} is ${formatLine([[given]]).slice(1, -1)}: a time is a number of nanoseconds`,
  );
}

function nothing(): void {
  // Not armed yet.
}

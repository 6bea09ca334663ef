import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { CancelSignal } from './cancellation.ts';
import { formatLine } from './format.ts';
import { MkError } from './mk-error.ts';
import type { RunQueue } from './run-queue.ts';

/** How long a call may wait. By default until the event happens or becomes impossible. */
export interface WaitOptions {
  /** Nanoseconds from now; past it the call ends in DEADLINE_EXCEEDED. 0: takes what is there, and begins nothing. */
  readonly timeoutNs?: Nanos;
  /** A time of `mk.now()`; the earlier of the two counts. */
  readonly deadline?: Nanos;
  /** Cancels the wait. Where it has aborted before, nothing is taken and nothing begins. */
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

/** A promise rejected with the thrown value itself: a signal's reason need not be an Error. */
export async function rejected(thrown: unknown): Promise<never> {
  throw thrown;
}

/**
 * Waits for the holder of the waker that `arm` gets, at most as long as the options allow. `arm` returns the function
 * that cancels the wait, called once however the wait ends. It takes what it waits for only when it is called: not
 * where the options are no options, or the signal has aborted, so that nothing is lost.
 */
export function waitFor<T>(
  clock: Clockwork,
  what: string,
  options: WaitOptions,
  arm: (waker: Waker<T>) => () => void,
): Promise<T> {
  const { signal } = options;
  let deadline: Nanos;
  try {
    deadline = deadlineOf(clock.now(), options);
  } catch (error) {
    return rejected(error);
  }
  const parked = clock.queue.park<T>(what);
  if (hasAborted(signal)) {
    parked.fail(known(signal).reason);
    return parked.promise;
  }
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
  else if (hasAborted(signal)) onAbort();
  else if (deadline <= clock.now()) late();
  else signal?.addEventListener('abort', onAbort);
  return parked.promise;
}

/** Throws if the caller does not want this any more: nothing shall begin that is given up at once. */
export function mayBegin(clock: Clockwork, what: string, options: WaitOptions): void {
  const deadline = mayTake(clock, options);
  if (deadline !== Infinity && deadline <= clock.now())
    throw new MkError('DEADLINE_EXCEEDED', `${what} was not begun: its time was over before`);
}

/** The deadline; throws for options that are none, and the reason of a signal that has aborted. */
export function mayTake(clock: Clockwork, options: WaitOptions): Nanos {
  if (isForEver(options)) return Infinity;
  const deadline = deadlineOf(clock.now(), options);
  if (hasAborted(options.signal)) throw known(options.signal).reason;
  return deadline;
}

/** The same options for several waits one after the other: all of them end by the time that is named now. */
export function byOneDeadline(clock: Clockwork, options: WaitOptions): WaitOptions {
  const { timeoutNs, ...others } = options;
  return timeoutNs === undefined ? options : { ...others, deadline: deadlineOf(clock.now(), options) };
}

/** As nearly every call is made. */
function isForEver({ timeoutNs, deadline, signal }: WaitOptions): boolean {
  return timeoutNs === undefined && deadline === undefined && signal === undefined;
}

/** Asked each time: arming a wait may abort it. */
function hasAborted(signal: CancelSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** When the options' time is over; Infinity: never. Throws BAD_REQUEST if the time is invalid. */
export function deadlineOf(now: Nanos, { timeoutNs, deadline }: WaitOptions): Nanos {
  const after = timeoutNs === undefined ? Infinity : now + nanosOf('timeoutNs', timeoutNs);
  return Math.min(after, deadline === undefined ? Infinity : nanosOf('deadline', deadline));
}

/** The whole nanoseconds that are left, for the core to give up with its caller; undefined: more than a call can name. */
export function timeLeft(clock: Clockwork, options: WaitOptions): Nanos | undefined {
  const now = clock.now();
  const left = Math.max(0, Math.ceil(deadlineOf(now, options) - now));
  return Number.isSafeInteger(left) ? left : undefined;
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

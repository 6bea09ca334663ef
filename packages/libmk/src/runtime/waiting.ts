import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import { type CancelSignal, SmallAbortController } from './cancellation.ts';
import { formatLine } from './format.ts';
import { MkError } from './mk-error.ts';
import type { RunQueue } from './run-queue.ts';

/** How long a call may wait. By default until the event happens or becomes impossible. */
export interface WaitOptions {
  /** Nanoseconds from now; past it the call ends in DEADLINE_EXCEEDED. 0: takes what is there, and begins nothing. */
  readonly timeoutNs?: Nanos;
  /** A time of `mk.now()`; the earlier of the two counts. */
  readonly deadline?: Nanos;
  /** Cancels the wait. If it has aborted already, nothing is taken and nothing begins. */
  readonly signal?: CancelSignal;
}

/** The services that waits need. */
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
 * that cancels the wait, called once however the wait ends. `arm` is not called for invalid options or an aborted
 * signal, so that nothing taken is lost.
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
  const late = (): void => fail(tooLate(what));
  const timer = deadline === Infinity || deadline <= clock.now() ? null : clock.timers.set(deadline, late);
  disarm = arm({ wake: (value) => end(() => parked.wake(value)), fail });
  if (!parked.open) disarm();
  else if (hasAborted(signal)) onAbort();
  else if (deadline <= clock.now()) late();
  else signal?.addEventListener('abort', onAbort);
  return parked.promise;
}

function tooLate(what: string): MkError {
  return new MkError('DEADLINE_EXCEEDED', `${what} did not come in time`);
}

/** The deadline. Throws if the caller has given up already, so that nothing begins in vain. */
export function mayBegin(clock: Clockwork, what: string, options: WaitOptions): Nanos {
  const deadline = mayTake(clock, options);
  if (deadline !== Infinity && deadline <= clock.now())
    throw new MkError('DEADLINE_EXCEEDED', `${what} was not begun: its time was over before`);
  return deadline;
}

/** For waits that know only a signal: they get one that aborts with the caller's, or in DEADLINE_EXCEEDED. */
export async function bySignal<T>(
  clock: Clockwork,
  what: string,
  options: WaitOptions,
  wait: (signal: CancelSignal | undefined) => Promise<T>,
): Promise<T> {
  const deadline = mayBegin(clock, what, options);
  const { signal } = options;
  if (deadline === Infinity) return wait(signal);
  const end = new SmallAbortController();
  const timer = clock.timers.set(deadline, () => end.abort(tooLate(what)));
  const onAbort = (): void => end.abort(known(signal).reason);
  signal?.addEventListener('abort', onAbort);
  try {
    return await wait(end.signal);
  } finally {
    clock.timers.cancel(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The deadline; throws for invalid options, and the reason of a signal that has aborted. */
export function mayTake(clock: Clockwork, options: WaitOptions): Nanos {
  if (isForEver(options)) return Infinity;
  const deadline = deadlineOf(clock.now(), options);
  if (hasAborted(options.signal)) throw known(options.signal).reason;
  return deadline;
}

/** The same options for several waits in a row: all of them share the deadline fixed now. */
export function byOneDeadline(clock: Clockwork, options: WaitOptions): WaitOptions {
  const { timeoutNs, ...others } = options;
  return timeoutNs === undefined ? options : { ...others, deadline: deadlineOf(clock.now(), options) };
}

/** The common case: no limit at all. */
function isForEver({ timeoutNs, deadline, signal }: WaitOptions): boolean {
  return timeoutNs === undefined && deadline === undefined && signal === undefined;
}

/** Checked each time: arming a wait may abort it. */
function hasAborted(signal: CancelSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** The time at which the options' patience ends; Infinity: never. Throws BAD_REQUEST for an invalid time. */
export function deadlineOf(now: Nanos, { timeoutNs, deadline }: WaitOptions): Nanos {
  const after = timeoutNs === undefined ? Infinity : now + nanosOf('timeoutNs', timeoutNs);
  return Math.min(after, deadline === undefined ? Infinity : nanosOf('deadline', deadline));
}

/**
 * The whole nanoseconds that are left, so that the core gives up with its caller; undefined: more than a call can
 * express.
 */
export function timeLeft(clock: Clockwork, options: WaitOptions): Nanos | undefined {
  const now = clock.now();
  const left = Math.max(0, Math.ceil(deadlineOf(now, options) - now));
  return Number.isSafeInteger(left) ? left : undefined;
}

/** Checks a time that a program gave; throws BAD_REQUEST, because it would corrupt the order of timers. */
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

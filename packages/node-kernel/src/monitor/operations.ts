import type { ErrorName } from '@mk/monitor-proto/errors';
import { limit } from '@mk/monitor-proto/limits';
import type { CoreId, Incarnation, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { GiveUp } from '../cpu-driver/give-up.ts';

/** The state of a failed operation over many cores, for its caller and the log. */
export interface Trouble {
  /** Cores involved, the initiator included. */
  readonly cores: number;
  /** Requests and replies of its rounds, as far as this core knows of them. */
  readonly messages: number;
  /** The cores that did not answer. */
  readonly silent: readonly CoreId[];
}

/** Why an operation failed. */
export class OperationError extends Error {
  constructor(
    readonly error: ErrorName,
    text: string,
    readonly trouble?: Trouble,
  ) {
    super(text);
  }
}

/**
 * A wait of an operation. `arm` is called once when the operation yields it, with the function that resumes the
 * operation with a value or an error; it returns the function that cancels the wait.
 */
export interface Wait<T> {
  arm(resume: Resume<T>, now: Nanos): () => void;
}
export type Resume<T> = (outcome: T | OperationError, now: Nanos) => void;

/** The initiating side of work over several turns: yields its waits, returns its result. */
export type Operation<T> = Generator<Wait<unknown>, T, unknown>;

/** The typed form of `yield`: waits and returns the value. Throws the error that came instead. */
export function* wait<T>(on: Wait<T>): Operation<T> {
  return (yield on) as T;
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ErrorName; readonly text: string; readonly trouble?: Trouble };

/** Ends an operation where it waits, with this error; one that has ended is left as it is. */
export type Stop = (error: OperationError, now: Nanos) => void;

interface Running {
  readonly id: OperationId;
  readonly owed: boolean;
  disarm: (() => void) | null;
  /** Ends what it waits for; null: it waits for nothing. */
  resume: Resume<unknown> | null;
}

const MAX_RUNNING = limit('operationsInFlight');

/** Runs operations: one turn whenever the awaited value has come. */
export class OperationRunner {
  private readonly running = new Set<Running>();
  private count = 0;
  /** Running operations that nobody else waits for. */
  private own = 0;
  private prefix = 'none.0';

  constructor(readonly timers: TimerQueue) {}

  /** Sets the prefix of ids, which are `core.incarnation.n` from now on. */
  setIdentity(core: CoreId, incarnation: Incarnation): void {
    this.prefix = `${core}.${incarnation}`;
  }

  nextId(): OperationId {
    this.count += 1;
    return `${this.prefix}.${this.count}`;
  }

  /** Ids assigned so far: about as many as this core has begun operations. */
  get begun(): number {
    return this.count;
  }

  get size(): number {
    return this.running.size;
  }

  /**
   * Starts an operation and calls `done` with its outcome, before `start` returns if the operation waits for nothing.
   * An `owed` operation, for which others wait, starts however many there are. Returns what stops it.
   */
  start<T>(
    id: OperationId,
    operation: Operation<T>,
    now: Nanos,
    done: (outcome: Outcome<T>, now: Nanos) => void,
    owed = false,
  ): Stop {
    if (this.own >= MAX_RUNNING && !owed) {
      done({ ok: false, error: 'TOO_MANY_OPERATIONS', text: `${MAX_RUNNING} operations are in flight` }, now);
      return nothing;
    }
    const running: Running = { id, owed, disarm: null, resume: null };
    this.running.add(running);
    if (!owed) this.own += 1;
    this.turn(running, operation, undefined, now, done);
    return (error, at) => running.resume?.(error, at);
  }

  /** Runs a turn, and further ones as long as their input is available at once: in a loop, so any number may follow. */
  private turn<T>(
    running: Running,
    operation: Operation<T>,
    first: unknown,
    startedAt: Nanos,
    done: (outcome: Outcome<T>, now: Nanos) => void,
  ): void {
    let input = first;
    let now = startedAt;
    for (;;) {
      const awaited = this.step(running, operation, input, now, done);
      if (awaited === null) return;
      let arming = true;
      let resumed = false;
      const resume: Resume<unknown> = (outcome, at) => {
        if (resumed) return;
        resumed = true;
        if (arming) {
          input = outcome;
          now = at;
          return;
        }
        running.disarm?.();
        running.disarm = null;
        running.resume = null;
        this.turn(running, operation, outcome, at, done);
      };
      const disarm = awaited.arm(resume, now);
      arming = false;
      if (!resumed) {
        running.disarm = disarm;
        running.resume = resume;
        return;
      }
      disarm();
    }
  }

  /** Advances to the operation's next wait; null: it has ended. */
  private step<T>(
    running: Running,
    operation: Operation<T>,
    input: unknown,
    now: Nanos,
    done: (outcome: Outcome<T>, now: Nanos) => void,
  ): Wait<unknown> | null {
    let step: IteratorResult<Wait<unknown>, T>;
    try {
      step = input instanceof OperationError ? operation.throw(input) : operation.next(input);
    } catch (error) {
      this.ended(running);
      if (!(error instanceof OperationError)) throw error;
      const { error: name, message: text, trouble } = error;
      done({ ok: false, error: name, text, ...(trouble !== undefined && { trouble }) }, now);
      return null;
    }
    if (!step.done) return step.value;
    this.ended(running);
    done({ ok: true, value: step.value }, now);
    return null;
  }

  private ended(running: Running): void {
    this.running.delete(running);
    if (!running.owed) this.own -= 1;
  }
}

/** Stops an operation for whose outcome nobody waits any more. */
export function givingUp(stop: Stop): GiveUp {
  return (now) => stop(new OperationError('CANCELLED', 'its caller gave up'), now);
}

function nothing(): void {
  // It was not begun.
}

/** Waits until a time. */
export function sleepUntil(timers: TimerQueue, at: Nanos): Wait<void> {
  return {
    arm(resume) {
      const timer = timers.set(at, (now) => resume(undefined, now));
      return () => timers.cancel(timer);
    },
  };
}

/**
 * Waits until the holder of `slot` calls it, at most until `deadline`: then OPERATION_TIMEOUT with `what` in its text.
 */
export function answerIn<T>(
  timers: TimerQueue,
  deadline: Nanos,
  what: string,
  slot: (resume: Resume<T>) => () => void,
): Wait<T> {
  return {
    arm(resume) {
      const release = slot(resume);
      const timer = timers.set(deadline, (now) => resume(new OperationError('OPERATION_TIMEOUT', what), now));
      return () => {
        timers.cancel(timer);
        release();
      };
    },
  };
}

import { SECOND, type Nanos } from '@mk/monitor-proto/ids';
import { EventQueue } from '../runtime/event-queue.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Strand } from '../runtime/run-queue.ts';
import { type Clockwork, nanosOf, type WaitOptions, waitFor } from '../runtime/waiting.ts';
import { Condition } from './condition.ts';
import { Mutex } from './mutex.ts';
import { Semaphore } from './semaphore.ts';
import { Thread, type ThreadOwner } from './thread.ts';
import { WaitSet } from './wait-set.ts';

/** A timer as an event source; ends with CANCELLED when it is stopped. */
export interface TimerEvents extends EventQueue<Nanos> {
  /** Ends the ticks. */
  stop(): void;
}

/** A row of the list of threads, for people. */
export interface ThreadRow {
  readonly id: number;
  readonly name: string;
  readonly state: 'running' | 'waiting' | 'ended';
  /** What it waits for; null: nothing, or something of its own. */
  readonly waitsFor: string | null;
}

/** Told of failed threads that will not be joined. */
export type OnFailure = (thread: Strand, error: Error) => void;

/** `mk.threads`: the threads of this dispatcher, and the means to wait for one another. */
export class Threads implements ThreadOwner {
  private readonly all = new Map<number, Thread>();
  private readonly heldMutexes = new Set<Mutex>();
  private nextId = 1;

  constructor(
    private readonly clock: Clockwork,
    private readonly onFailure: OnFailure,
  ) {}

  /**
   * Starts a thread; it runs when the caller waits next. Join it or detach it.
   *
   * @example
   * const sum = mk.threads.spawn('sum', async () => { let n = 0; for await (const x of numbers) n += x; return n; });
   */
  spawn<T>(name: string, body: (self: Thread<T>) => Promise<T> | T): Thread<T> {
    const thread = new Thread<T>(this.clock, this, this.nextId++, name, body);
    this.all.set(thread.id, thread as Thread);
    return thread;
  }

  /** The running thread; null where that is unknown (after a wait for a promise of your own). */
  get current(): Thread | null {
    const { current } = this.clock.queue;
    return current === null ? null : (this.all.get(current.id) ?? null);
  }

  /** Threads that have not ended, or were not joined. */
  list(): readonly ThreadRow[] {
    return [...this.all.values()].map((thread) => ({
      id: thread.id,
      name: thread.name,
      state: thread.state,
      waitsFor: this.clock.queue.waitOf(thread),
    }));
  }

  /** Lets other ready threads run; if there are none, other dispatchers of the core. */
  yield(): Promise<void> {
    return this.clock.queue.yield();
  }

  /** Waits for so many nanoseconds. */
  sleep(ns: Nanos, options: WaitOptions = {}): Promise<void> {
    const { clock } = this;
    const until = clock.now() + Math.max(0, nanosOf('the time to sleep', ns));
    return waitFor<void>(clock, 'a timer', options, (waker) => {
      const timer = clock.timers.set(until, () => waker.wake());
      return () => clock.timers.cancel(timer);
    });
  }

  /** Waits until a time of `mk.now()`. */
  sleepUntil(at: Nanos, options: WaitOptions = {}): Promise<void> {
    return this.sleep(at - this.clock.now(), options);
  }

  /** One event after so many nanoseconds; its value is the time. For wait sets. */
  after(ns: Nanos): TimerEvents {
    return this.ticks(nanosOf('the time to wait', ns), false);
  }

  /** An event every so many nanoseconds. Ticks that are not taken in time merge into one. */
  every(ns: Nanos): TimerEvents {
    if (nanosOf('the period', ns) < 1)
      throw new MkError('BAD_REQUEST', `a period of ${ns} ns: it must be at least 1 ns`);
    return this.ticks(ns, true);
  }

  mutex(name = 'unnamed'): Mutex {
    return new Mutex(this.clock, name, this.heldMutexes);
  }

  condition(name = 'unnamed'): Condition {
    return new Condition(this.clock, name);
  }

  semaphore(count: number, name = 'unnamed'): Semaphore {
    return new Semaphore(this.clock, count, name);
  }

  waitSet(): WaitSet {
    return new WaitSet(this.clock);
  }

  /** A queue of the program's own events, for its threads and wait sets. */
  events<T>(label: string): EventQueue<T> {
    return new EventQueue<T>(this.clock, label);
  }

  /**
   * Gives up on `work` after `timeoutNs`: rejects with DEADLINE_EXCEEDED; the work itself continues unless it heeds its
   * signal.
   */
  async within<T>(timeoutNs: Nanos, what: string, work: Promise<T>): Promise<T> {
    return waitFor<T>(this.clock, what, { timeoutNs }, (waker) => {
      work.then(
        (value) => waker.wake(value),
        (error: unknown) => waker.fail(error),
      );
      return () => undefined;
    });
  }

  /** What should not be left at the end: unjoined threads other than the one that asks, held mutexes. */
  leftovers(asker: Strand | null = null): readonly string[] {
    const threads = [...this.all.values()]
      .filter((thread) => thread !== asker)
      .map(({ name, state }) => `thread ${name} ${state === 'ended' ? 'was not joined' : 'has not ended'}`);
    const held = [...this.heldMutexes].map(({ name }) => `mutex ${name} is held`);
    return [...threads, ...held];
  }

  /** The failures of ended threads that were not joined. */
  failures(): readonly { readonly thread: Thread; readonly error: Error }[] {
    return [...this.all.values()].flatMap((thread) =>
      thread.unclaimed?.ok === false ? [{ thread, error: thread.unclaimed.error }] : [],
    );
  }

  ended(thread: Thread): void {
    for (const mutex of this.heldMutexes) {
      if (mutex.holder === thread)
        this.onFailure(thread, new MkError('NOT_OWNER', `thread ${thread.name} ended with mutex ${mutex.name} locked`));
    }
    if (thread.isDetached && thread.unclaimed?.ok === false) this.onFailure(thread, thread.unclaimed.error);
  }

  settled(thread: Thread): void {
    if (thread.isDetached && thread.unclaimed?.ok === false) this.onFailure(thread, thread.unclaimed.error);
    this.all.delete(thread.id);
  }

  private ticks(ns: Nanos, again: boolean): TimerEvents {
    const { clock } = this;
    const label = again ? `ticks every ${ns / SECOND} s` : `a timer of ${ns / SECOND} s`;
    const events = Object.assign(new EventQueue<Nanos>(clock, label), {
      stop: () => {
        clock.timers.cancel(timer);
        events.end(new MkError('CANCELLED', 'the timer was stopped'));
      },
    });
    let at = clock.now() + ns;
    const fire = (now: Nanos): void => {
      if (events.length === 0) events.push(now);
      if (!again) return;
      at = Math.max(at + ns, now);
      timer = clock.timers.set(at, fire);
    };
    let timer = clock.timers.set(at, fire);
    return events;
  }
}

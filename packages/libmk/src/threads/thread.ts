import { Cancellation, type CancelSignal } from '../runtime/cancellation.ts';
import { EventQueue, type Waitable } from '../runtime/event-queue.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Strand } from '../runtime/run-queue.ts';
import { errorOf } from '../runtime/thrown-value.ts';
import { type Clockwork, type WaitOptions, type Waker, waitFor } from '../runtime/waiting.ts';

/** How a thread ended. */
export type ThreadEnd<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Error };

/** Events of a thread for the list of threads. */
export interface ThreadOwner {
  ended(thread: Thread<unknown>): void;
  /** Nobody will ask for its end any more. */
  settled(thread: Thread<unknown>): void;
}

/**
 * A user-level thread: an async function on the dispatcher's own run queue. It runs alone from one `await` to the next.
 *
 * @example
 * const worker = mk.threads.spawn('worker', async (self) => { await self.sleep(1_000); return 42; });
 * const answer = await worker.join();
 */
export class Thread<T = unknown> implements Strand {
  resting = false;
  private end: ThreadEnd<T> | null = null;
  private detached = false;
  private joined = false;
  private readonly joiners = new Set<Waker<T>>();
  private readonly cancellation = new Cancellation();
  private readonly endings: EventQueue<ThreadEnd<T>>;

  constructor(
    private readonly clock: Clockwork,
    private readonly owner: ThreadOwner,
    readonly id: number,
    readonly name: string,
    body: (self: Thread<T>) => Promise<T> | T,
  ) {
    this.endings = new EventQueue(clock, `the end of thread ${name}`, () => this.settle());
    clock.queue.begin(this, () => void this.run(body));
  }

  /** Waits for the thread to end: resolves with what it returned, or rejects with what it threw. */
  join(options: WaitOptions = {}): Promise<T> {
    const { current } = this.clock.queue;
    if (current === this)
      return Promise.reject(new MkError('WOULD_DEADLOCK', `thread ${this.name} cannot join itself`));
    if (this.detached) return Promise.reject(new MkError('THREAD_DETACHED', `thread ${this.name} was detached`));
    return waitFor<T>(this.clock, `the end of thread ${this.name}`, options, (waker) => {
      if (this.end !== null) this.tell(waker, this.end);
      else this.joiners.add(waker);
      return () => void this.joiners.delete(waker);
    });
  }

  /** Detaches it: its result is dropped, and an error ends the program. */
  detach(): void {
    if (this.detached) throw new MkError('THREAD_DETACHED', `thread ${this.name} was detached before`);
    this.detached = true;
    if (this.end !== null) this.settle();
  }

  /** Asks the thread to end: its `signal` aborts, which ends waits that use it. */
  cancel(reason: string | Error = `thread ${this.name} was cancelled`): void {
    this.cancellation.cancel(reason);
  }

  /** Aborts when somebody cancels this thread. */
  get signal(): CancelSignal {
    return this.cancellation.signal;
  }

  /** Its end as an event for a wait set; it then counts as joined. */
  get ended(): Waitable<ThreadEnd<T>> {
    return this.endings;
  }

  get state(): 'running' | 'waiting' | 'ended' {
    if (this.end !== null) return 'ended';
    return this.resting ? 'waiting' : 'running';
  }

  /** Its outcome, if not yet claimed; null: it runs, or the outcome was claimed. */
  get unclaimed(): ThreadEnd<T> | null {
    return this.joined ? null : this.end;
  }

  get isDetached(): boolean {
    return this.detached;
  }

  private async run(body: (self: Thread<T>) => Promise<T> | T): Promise<void> {
    let end: ThreadEnd<T>;
    try {
      end = { ok: true, value: await body(this) };
    } catch (thrown) {
      end = { ok: false, error: errorOf(thrown) };
    }
    this.end = end;
    this.resting = true;
    for (const joiner of [...this.joiners]) this.tell(joiner, end);
    this.joiners.clear();
    this.endings.push(end);
    this.owner.ended(this as Thread<unknown>);
    if (this.detached) this.settle();
  }

  private tell(joiner: Waker<T>, end: ThreadEnd<T>): void {
    this.settle();
    if (end.ok) joiner.wake(end.value);
    else joiner.fail(end.error);
  }

  private settle(): void {
    if (this.joined) return;
    this.joined = true;
    this.owner.settled(this as Thread<unknown>);
  }
}

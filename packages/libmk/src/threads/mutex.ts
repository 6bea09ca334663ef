import { MkError } from '../runtime/mk-error.ts';
import type { Strand } from '../runtime/run-queue.ts';
import { type Clockwork, type WaitOptions, type Waker, mayTake, waitFor } from '../runtime/waiting.ts';

/**
 * Mutual exclusion between the threads of one dispatcher, for sections that contain an `await`. Handed on in the order in
 * which it was asked for.
 *
 * @example
 * const mutex = mk.threads.mutex('accounts');
 * await mutex.with(async () => { balance -= 10; await log.append('took 10'); });
 */
export class Mutex {
  private owner: Strand | null = null;
  private held = false;
  private readonly waiters = new Set<Waker<void> & { readonly strand: Strand | null }>();

  constructor(
    private readonly clock: Clockwork,
    readonly name: string,
    /** Holds the mutex while it is locked, so that a thread or program that ends can report it. */
    private readonly allHeld: Set<Mutex>,
  ) {}

  get locked(): boolean {
    return this.held;
  }

  /** The thread that holds it, if known. */
  get holder(): Strand | null {
    return this.owner;
  }

  /**
   * Waits for the mutex. WOULD_DEADLOCK: the caller already holds it; DEADLINE_EXCEEDED, CANCELLED: it was not
   * acquired.
   */
  async lock(options: WaitOptions = {}): Promise<void> {
    const strand = this.clock.queue.current;
    if (this.held && strand !== null && this.owner === strand)
      throw new MkError('WOULD_DEADLOCK', `thread ${strand.name} holds mutex ${this.name} already`);
    mayTake(this.clock, options);
    if (this.tryLock()) return;
    await waitFor<void>(this.clock, `mutex ${this.name}`, options, (waker) => {
      const waiter = { ...waker, strand };
      this.waiters.add(waiter);
      return () => void this.waiters.delete(waiter);
    });
  }

  /** Takes the mutex if it is free; returns whether it was. */
  tryLock(): boolean {
    if (this.held) return false;
    this.held = true;
    this.allHeld.add(this);
    this.owner = this.clock.queue.current;
    return true;
  }

  /** Hands the mutex to the longest waiter. NOT_OWNER: the caller does not hold it. */
  unlock(): void {
    const { current } = this.clock.queue;
    if (!this.held) throw new MkError('NOT_OWNER', `mutex ${this.name} is not locked`);
    if (this.owner !== null && current !== null && this.owner !== current)
      throw new MkError('NOT_OWNER', `thread ${this.owner.name} holds mutex ${this.name}, not ${current.name}`);
    const [next] = this.waiters;
    this.owner = next?.strand ?? null;
    this.held = next !== undefined;
    if (next === undefined) this.allHeld.delete(this);
    else next.wake();
  }

  /** Runs `section` with the mutex held, and returns what it returns. */
  async with<T>(section: () => Promise<T> | T, options: WaitOptions = {}): Promise<T> {
    await this.lock(options);
    try {
      return await section();
    } finally {
      this.unlock();
    }
  }
}

import { type Clockwork, type WaitOptions, type Waker, mayTake, waitFor } from '../runtime/waiting.ts';

/**
 * A counting semaphore between the threads of one dispatcher; waiters are served in order.
 *
 * @example
 * const slots = mk.threads.semaphore(4);
 * await slots.wait(); try { await fetchOne(); } finally { slots.post(); }
 */
export class Semaphore {
  private readonly waiters = new Set<Waker<void>>();

  constructor(
    private readonly clock: Clockwork,
    private count: number,
    readonly name: string,
  ) {
    if (!Number.isSafeInteger(count) || count < 0)
      throw new RangeError(`a semaphore begins with 0 or more, not ${count}`);
  }

  /** How many waits would succeed at once. */
  get value(): number {
    return this.count;
  }

  /** Takes one, waiting for it if there is none. */
  async wait(options: WaitOptions = {}): Promise<void> {
    mayTake(this.clock, options);
    if (this.tryWait()) return;
    await waitFor<void>(this.clock, `semaphore ${this.name}`, options, (waker) => {
      this.waiters.add(waker);
      return () => void this.waiters.delete(waker);
    });
  }

  /** Takes one if there is one; returns whether there was. */
  tryWait(): boolean {
    if (this.count === 0) return false;
    this.count -= 1;
    return true;
  }

  /** Adds `n`, for the longest waiters first. */
  post(n = 1): void {
    for (let left = n; left > 0; left -= 1) {
      const [waiter] = this.waiters;
      if (waiter === undefined) this.count += 1;
      else waiter.wake();
    }
  }
}

import { MkError } from '../runtime/mk-error.ts';
import { type Clockwork, type WaitOptions, type Waker, waitFor } from '../runtime/waiting.ts';
import type { Mutex } from './mutex.ts';

/**
 * A condition variable: threads wait, releasing a mutex meanwhile, until another thread signals that their condition
 * may hold. Check again after each wait: another thread may have been faster.
 *
 * @example
 * await mutex.with(async () => { while (queue.length === 0) await filled.wait(mutex); return queue.shift(); });
 */
export class Condition {
  private readonly waiters = new Set<Waker<void>>();

  constructor(
    private readonly clock: Clockwork,
    readonly name: string,
  ) {}

  /**
   * Releases the mutex, waits for a signal, and reacquires the mutex, even when it rejects with DEADLINE_EXCEEDED or
   * CANCELLED. NOT_OWNER: the mutex is not locked.
   */
  async wait(mutex: Mutex, options: WaitOptions = {}): Promise<void> {
    if (!mutex.locked)
      throw new MkError('NOT_OWNER', `condition ${this.name} is waited for with mutex ${mutex.name} locked`);
    mutex.unlock();
    try {
      await waitFor<void>(this.clock, `condition ${this.name}`, options, (waker) => {
        this.waiters.add(waker);
        return () => void this.waiters.delete(waker);
      });
    } finally {
      await mutex.lock();
    }
  }

  /** Wakes the longest waiting thread, if any. */
  signal(): void {
    const [waiter] = this.waiters;
    waiter?.wake();
  }

  /** Wakes all waiting threads. */
  broadcast(): void {
    for (const waiter of [...this.waiters]) waiter.wake();
  }
}

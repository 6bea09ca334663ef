import { Heap } from './heap.ts';
import type { Nanos } from './ids.ts';

/** A timer that was set and may be taken back. */
export interface Timer {
  readonly at: Nanos;
  cancelled: boolean;
  /** What it does when it is due; what it would have done is forgotten when it is cancelled. */
  fire: (now: Nanos) => void;
}

/** Cancelled timers that may lie in the heap before it is looked through. */
const TOLERATED = 256;
const nothing = (): void => {};

/**
 * The timers of one state machine, on its own notion of time. Cancelling is constant time: a cancelled timer leaves when it
 * is due, or when such timers have come to outnumber the others.
 */
export class TimerQueue {
  private heap = new Heap<Timer>();
  private live = 0;

  /** Calls `fire` from `expire` at `at` or later. */
  set(at: Nanos, fire: (now: Nanos) => void): Timer {
    const timer: Timer = { at, cancelled: false, fire };
    this.heap.push(at, timer);
    this.live += 1;
    return timer;
  }

  cancel(timer: Timer | null): void {
    if (timer === null || timer.cancelled) return;
    timer.cancelled = true;
    timer.fire = nothing; // it may lie here for its whole deadline: it must not keep an ended operation alive so long
    this.live -= 1;
    if (this.heap.size > TOLERATED && this.heap.size > 2 * this.live) this.dropCancelled();
  }

  /** When `expire` has work next; Infinity: never. */
  get next(): Nanos {
    return this.heap.minKey;
  }

  /** Timers that are set and neither fired nor cancelled. */
  get size(): number {
    return this.live;
  }

  /** Fires what is due by `now`, earliest first. */
  expire(now: Nanos): void {
    while (this.heap.minKey <= now) {
      const timer = this.heap.pop()!;
      if (timer.cancelled) continue;
      timer.cancelled = true;
      this.live -= 1;
      timer.fire(now);
    }
  }

  private dropCancelled(): void {
    const kept = new Heap<Timer>();
    for (let timer = this.heap.pop(); timer !== undefined; timer = this.heap.pop()) if (!timer.cancelled) kept.push(timer.at, timer);
    this.heap = kept;
  }
}

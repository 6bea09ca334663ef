import { known } from './assert.ts';
import { Heap } from './heap.ts';
import type { Nanos } from './ids.ts';

type Fire = (now: Nanos, subject: never) => void;

/** A timer that can be cancelled. */
export interface Timer {
  /** Called when due; null once fired or cancelled. */
  fire: Fire | null;
  /** The argument of `fire`. */
  subject: unknown;
}

/** Cancelled timers tolerated in the heap before it is cleaned. */
const TOLERATED = 256;

/**
 * The timers of one state machine, on its own notion of time. Cancelling takes constant time: a cancelled timer leaves
 * when it is due, or when such timers outnumber the others.
 */
export class TimerQueue {
  private heap = new Heap<Timer>();
  private live = 0;

  /**
   * Makes `expire` call `fire` with `subject` at `at` or later: many timers share one function, with no closure each.
   */
  set<S>(at: Nanos, fire: (now: Nanos, subject: S) => void, subject?: S): Timer {
    const timer: Timer = { fire, subject };
    this.heap.push(at, timer);
    this.live += 1;
    return timer;
  }

  cancel(timer: Timer | null): void {
    if (timer === null || timer.fire === null) return;
    forget(timer); // it may stay here until its deadline and must not keep an ended operation alive
    this.live -= 1;
    if (this.heap.size > TOLERATED && this.heap.size > 2 * this.live) this.dropCancelled();
  }

  /** When `expire` next has work; Infinity: never. */
  get next(): Nanos {
    while (this.heap.top?.fire === null) this.heap.pop();
    return this.heap.minKey;
  }

  /** How many timers are neither fired nor cancelled. */
  get size(): number {
    return this.live;
  }

  /** Fires the timers due by `now`, earliest first. */
  expire(now: Nanos): void {
    while (this.heap.minKey <= now) {
      const timer = known(this.heap.pop());
      const { fire, subject } = timer;
      if (fire === null) continue;
      forget(timer);
      this.live -= 1;
      fire(now, subject as never);
    }
  }

  private dropCancelled(): void {
    const kept = new Heap<Timer>();
    for (
      let at = this.heap.minKey, timer = this.heap.pop();
      timer !== undefined;
      at = this.heap.minKey, timer = this.heap.pop()
    ) {
      if (timer.fire !== null) kept.push(at, timer);
    }
    this.heap = kept;
  }
}

function forget(timer: Timer): void {
  timer.fire = null;
  timer.subject = undefined;
}

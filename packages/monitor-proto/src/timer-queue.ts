import { known } from './assert.ts';
import { Heap } from './heap.ts';
import type { Nanos } from './ids.ts';

type Fire = (now: Nanos, subject: never) => void;

/** A timer that was set and may be taken back. */
export interface Timer {
  /** What it does when it is due; null: it has done that, or was cancelled, and what it would have done is forgotten. */
  fire: Fire | null;
  /** What `fire` is about. */
  subject: unknown;
}

/** Cancelled timers that may lie in the heap before it is looked through. */
const TOLERATED = 256;

/**
 * The timers of one state machine, on its own notion of time. Cancelling is constant time: a cancelled timer leaves when it
 * is due, or when such timers have come to outnumber the others.
 */
export class TimerQueue {
  private heap = new Heap<Timer>();
  private live = 0;

  /**
   * Calls `fire` from `expire` at `at` or later, with `subject`: what sets a timer for each of many things has one function
   * for all of them, and no closure that each timer keeps.
   */
  set<S>(at: Nanos, fire: (now: Nanos, subject: S) => void, subject?: S): Timer {
    const timer: Timer = { fire, subject };
    this.heap.push(at, timer);
    this.live += 1;
    return timer;
  }

  cancel(timer: Timer | null): void {
    if (timer === null || timer.fire === null) return;
    forget(timer); // it may lie here for its whole deadline: it must not keep an ended operation alive so long
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

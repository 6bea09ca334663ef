import { Heap } from './heap.ts';
import type { Nanos } from './ids.ts';

/** A timer that was set and may be taken back. */
export interface Timer {
  readonly at: Nanos;
  cancelled: boolean;
  readonly fire: (now: Nanos) => void;
}

/** The timers of one state machine, on its own notion of time. Cancelling is free; a cancelled timer leaves when it is due. */
export class TimerQueue {
  private readonly heap = new Heap<Timer>();
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
    this.live -= 1;
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
}

import type { Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Capability } from '../../capability/model/capability.ts';
import type { Wait } from '../operations.ts';

type Run = (now: Nanos) => void;

/**
 * Waits for a change on this core. Every change runs every waiter once, in order of arrival, after the event that
 * caused it; a waiter that still cannot proceed waits again. Changes in between count as one.
 */
export class WaitQueue {
  private waiters = new Set<Run>();
  private scheduled = false;

  constructor(private readonly timers: TimerQueue) {}

  get size(): number {
    return this.waiters.size;
  }

  /** Runs `run` after the next change; call the returned function to cancel. */
  add(run: Run): () => void {
    this.waiters.add(run);
    return () => this.waiters.delete(run);
  }

  /** Notifies the waiters of a change. */
  changed(): void {
    if (this.scheduled || this.waiters.size === 0) return;
    this.scheduled = true;
    this.timers.set(0, (now) => this.runAll(now));
  }

  private runAll(now: Nanos): void {
    this.scheduled = false;
    const waiters = this.waiters;
    this.waiters = new Set();
    for (const run of waiters) run(now);
  }
}

/** Waits for the next change of a queue. */
export function nextChange(queue: WaitQueue): Wait<void> {
  return { arm: (resume) => queue.add((now) => resume(undefined, now)) };
}

/** Capabilities sent whose arrival is not confirmed: the sender answers for them. */
export class Transits {
  private readonly sent = new Map<OperationId, Capability>();

  constructor(private readonly queue: WaitQueue) {}

  begin(op: OperationId, capability: Capability): void {
    this.sent.set(op, capability);
  }

  end(op: OperationId): void {
    if (this.sent.delete(op)) this.queue.changed();
  }

  has(test: (capability: Capability) => boolean): boolean {
    for (const capability of this.sent.values()) if (test(capability)) return true;
    return false;
  }

  capabilities(): readonly Capability[] {
    return [...this.sent.values()];
  }
}

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';

describe('a timer queue', () => {
  it('fires what was set and not cancelled, in order of time and then of setting (model: a sorted list)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(1000), cancel: fc.boolean() }), { maxLength: 1200 }),
        fc.nat(1000),
        (plan, until) => {
          const queue = new TimerQueue();
          const fired: number[] = [];
          const timers: Timer[] = plan.map(({ at }, i) => queue.set(at, () => fired.push(i)));
          plan.forEach(({ cancel }, i) => cancel && queue.cancel(timers[i]!));
          const live = plan.map((row, i) => ({ ...row, i })).filter((row) => !row.cancel);
          expect(queue.size).toBe(live.length);
          queue.expire(until);
          expect(fired).toEqual(
            live
              .filter((row) => row.at <= until)
              .sort((a, b) => a.at - b.at || a.i - b.i)
              .map((row) => row.i),
          );
          expect(queue.size).toBe(live.length - fired.length);
        },
      ),
    );
  });

  it('forgets what a cancelled timer would have done, long before the timer leaves', () => {
    const queue = new TimerQueue();
    const fire = (): void => undefined;
    const timer = queue.set(1e12, fire);
    queue.cancel(timer);
    expect(timer.fire).not.toBe(fire);
  });

  it('keeps no more than a bounded number of cancelled timers', () => {
    const queue = new TimerQueue();
    for (let i = 0; i < 100_000; i++) queue.cancel(queue.set(1e12 + i, () => undefined));
    expect((queue as unknown as { heap: { size: number } }).heap.size).toBeLessThan(1000);
  });
});

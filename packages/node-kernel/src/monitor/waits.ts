import type { Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import { type Operation, sleepUntil, wait } from './operations.ts';

/** Waits before another attempt; pauses double from the first attempt on. */
export function* pause(timers: TimerQueue, attempt: number): Operation<void> {
  const ns = Math.min(limit('capabilityRetryMaxNs'), limit('capabilityRetryNs') * 2 ** Math.min(attempt, 16));
  yield* sleep(timers, ns);
}

/** Waits for so long. */
export function* sleep(timers: TimerQueue, ns: Nanos): Operation<void> {
  yield* wait<void>({ arm: (resume, now) => sleepUntil(timers, now + ns).arm(resume, now) });
}

/** The time, without waiting. */
export function* timeNow(): Operation<Nanos> {
  return yield* wait<Nanos>({
    arm(resume, now) {
      resume(now, now);
      return () => undefined;
    },
  });
}

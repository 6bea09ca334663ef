import { isWorthRetrying } from '@mk/monitor-proto/errors';
import type { DomainId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Prng } from '@mk/monitor-proto/prng';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { SystemCallDone, SystemCallResult } from '../cpu-driver/system-calls.ts';
import type { SystemCall } from '../effects.ts';
import { type Operation, sleepUntil, wait } from '../monitor/operations.ts';
import { timeNow } from '../monitor/waits.ts';

/** Makes a system call of a domain of this core, as its dispatcher would. */
export type SystemCallPort = (domain: DomainId, call: SystemCall, now: Nanos, done: SystemCallDone) => void;

/**
 * The caller's half of a system call: retries transient conflicts with jittered exponential back-off, so that a program
 * sees success or a real error. Past `callerDeadlineNs` it gives the last error.
 */
export function* callWithRetry(
  systemCall: SystemCallPort,
  timers: TimerQueue,
  domain: DomainId,
  call: SystemCall,
  prng: Prng,
  beforeAttempt: () => void = () => undefined,
): Operation<SystemCallResult> {
  const startedAt = yield* timeNow();
  for (let attempt = 0; ; attempt += 1) {
    beforeAttempt();
    const result = yield* callOnce(systemCall, domain, call);
    if (result.ok || !isWorthRetrying(result.error)) return result;
    const pauseNs = pauseAfter(attempt, prng);
    const now = yield* timeNow();
    if (now + pauseNs - startedAt > limit('callerDeadlineNs')) return result;
    yield* wait(sleepUntil(timers, now + pauseNs));
  }
}

/** The pause after attempt number `attempt`: between half and all of a doubling time. */
function pauseAfter(attempt: number, prng: Prng): Nanos {
  const longest = Math.min(limit('callerRetryMaxNs'), limit('callerRetryNs') * 2 ** Math.min(attempt, 16));
  return Math.ceil(longest * (0.5 + prng.nextFloat() / 2));
}

function* callOnce(systemCall: SystemCallPort, domain: DomainId, call: SystemCall): Operation<SystemCallResult> {
  return yield* wait<SystemCallResult>({
    arm(resume, now) {
      systemCall(domain, call, now, resume);
      return () => undefined;
    },
  });
}

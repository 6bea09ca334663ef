/*
 * P3: who keeps the core past its grace period is killed, unless a busy host gave it no CPU time; and then, too, after a
 * minute.
 */
import { expect, test } from '@jest/globals';
import { MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { Outbox } from '@mk/monitor-proto/outbox';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import { Dispatchers } from '@mk/node-kernel/cpu-driver/dispatchers/dispatchers';
import type { DispatcherEffect } from '@mk/node-kernel/cpu-driver/dispatchers/effects';
import { dispatcherLimit } from '@mk/node-kernel/cpu-driver/dispatchers/limits';

/** When a dispatcher that never yields is killed, if by then it had used so much; null: not within two minutes. */
function killedAt(cpuNs: (now: Nanos) => Nanos, lateNs: (due: Nanos) => Nanos = () => 0): Nanos | null {
  const timers = new TimerQueue();
  let asked = 0;
  const push = ({ type }: DispatcherEffect): void => void (asked += type === 'measure_dispatcher' ? 1 : 0);
  const sink = Object.assign(new Outbox('off'), { push });
  const dispatchers = new Dispatchers({ sink, timers, ended: () => undefined } as never);
  const program = { name: 'p', digest: '', bytes: new Uint8Array(0) };
  const first = { type: 'timer', timer: 1 } as const;
  const taskClass = { kind: 'best_effort', weight: 1 } as const;
  dispatchers.create({ id: 1, domain: '0.1.1', program, taskClass, seed: '', first }, 0);
  dispatchers.started(1, 0);
  for (let due = timers.next; due < 120 * SECOND; due = timers.next) {
    const [now, before] = [due + lateNs(due), asked];
    timers.expire(now);
    if (asked > before) dispatchers.used(1, cpuNs(now), now);
    if (dispatchers.overruns > 0) return now;
  }
  return null;
}

const GRACE = dispatcherLimit('overrunGraceNs');
const SLICE = dispatcherLimit('timesliceNs');

test('an endless loop on a host at rest is killed after its grace', () => {
  expect(killedAt((now) => now)).toBe(SLICE + GRACE);
  expect(killedAt(() => dispatcherLimit('overrunCpuNs'))).toBe(SLICE + GRACE);
  expect(killedAt(() => Infinity)).toBe(SLICE + GRACE);
});

test('one that has little of the CPU has the time to come to its yield', () => {
  const share = (of: number) => (now: Nanos) => now / of;
  expect(killedAt(() => dispatcherLimit('overrunCpuNs') - 1)).toBeGreaterThan(55 * SECOND);
  expect(killedAt(share(4))).toBeGreaterThan(2 * GRACE);
  expect(killedAt(share(4))).toBeLessThan(3 * GRACE + SECOND);
});

test('it is killed after a minute, whatever it has used', () => {
  const at = killedAt(() => 0)!;
  expect(at).toBeGreaterThanOrEqual(dispatcherLimit('overrunMostNs'));
  expect(at).toBeLessThanOrEqual(dispatcherLimit('overrunMostNs') + GRACE + SLICE);
});

test('a core that looks too late does not know, and gives it another grace', () => {
  const lateOnce = (due: Nanos): Nanos => (due < 6 * SECOND && due > SECOND ? 800 * MILLISECOND : 0);
  expect(killedAt((now) => now, lateOnce)).toBe(SLICE + 2 * GRACE + 800 * MILLISECOND);
});

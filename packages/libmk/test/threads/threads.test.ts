import { describe, expect, test } from '@jest/globals';
import { isMkError, MkError } from '../../src/runtime/mk-error.ts';
import { Mutex } from '../../src/threads/mutex.ts';
import { TestHost } from '../runtime/test-host.ts';

describe('threads', () => {
  test('run one at a time, from one wait to the next, in the order they were started', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    const log: string[] = [];
    const nested = async (name: string): Promise<void> => {
      log.push(`${name}1`);
      await Promise.resolve(); // not a wait of the queue: it continues before the others
      log.push(`${name}2`);
    };
    for (const name of ['a', 'b']) {
      threads
        .spawn(name, async () => {
          await nested(name);
          await threads.yield();
          log.push(`${name}3`);
        })
        .detach();
    }
    await host.run();
    expect(log).toEqual(['a1', 'a2', 'b1', 'b2', 'a3', 'b3']);
  });

  test('join gives what a thread returned, rejects with what it threw, and may wait or not', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    const results: unknown[] = [];
    threads
      .spawn('main', async (self) => {
        const slow = threads.spawn('slow', async () => {
          await threads.sleep(1_000);
          return 42;
        });
        const bad = threads.spawn('bad', () => {
          throw new MkError('BUSY', 'no');
        });
        results.push(await slow.join(), await bad.join().catch((error: Error) => error.name));
        results.push(await self.join().catch((error: Error) => error.name));
        const never = threads.spawn('never', () => threads.sleep(1e15));
        results.push(await never.join({ timeoutNs: 5 }).catch((error: Error) => error.name));
        results.push(host.time);
      })
      .detach();
    await host.run(20);
    expect(results).toEqual([42, 'BUSY', 'WOULD_DEADLOCK', 'DEADLINE_EXCEEDED', 1_005]);
  });

  test('a detached thread that fails ends the program, and its name is told', async () => {
    const host = new TestHost();
    host.runtime.threads
      .spawn('courier', async () => {
        await host.runtime.threads.sleep(10);
        throw new Error('lost the parcel');
      })
      .detach();
    await host.run();
    expect(host.failure?.error).toBe('PROGRAM_FAILED');
    expect(host.failure?.text).toContain('thread courier: Error: lost the parcel');
    expect(host.runtime.ended).toBe(true);
  });

  test('cancel ends the waits that were given the signal', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    let seen: unknown;
    const sleeper = threads.spawn('sleeper', (self) => threads.sleep(1e12, { signal: self.signal }));
    threads
      .spawn('main', async () => {
        await threads.yield();
        sleeper.cancel('enough');
        seen = await sleeper.join().catch((error: Error) => error.message);
      })
      .detach();
    await host.turn();
    await host.turn();
    expect(seen).toBe('CANCELLED: enough');
    expect(host.runtime.timers.size).toBe(0);
  });

  test('a mutex that is held when its thread ends is a failure; unlocking what another holds, and locking twice, are errors', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    const mutex = threads.mutex('m');
    const errors: unknown[] = [];
    threads
      .spawn('holder', async () => {
        await mutex.lock();
        errors.push(await mutex.lock().catch((error: Error) => error.name));
        await threads.sleep(5);
      })
      .detach();
    threads
      .spawn('thief', async () => {
        try {
          mutex.unlock();
        } catch (error) {
          errors.push(isMkError(error, 'NOT_OWNER'));
        }
      })
      .detach();
    await host.run();
    expect(errors).toEqual(['WOULD_DEADLOCK', true]);
    expect(host.failure?.text).toContain('thread holder ended with mutex m locked');
  });

  test('a condition is waited for with its mutex given back, and has it again after', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    const [mutex, filled] = [threads.mutex('m'), threads.condition('filled')];
    const store: number[] = [];
    const got: unknown[] = [];
    for (let n = 0; n < 2; n += 1) {
      threads
        .spawn(`taker${n}`, () =>
          mutex.with(async () => {
            while (store.length === 0) await filled.wait(mutex);
            got.push(store.shift());
          }),
        )
        .detach();
    }
    threads
      .spawn('giver', async () => {
        for (const value of [1, 2]) {
          await mutex.with(() => store.push(value));
          filled.signal();
          await threads.yield();
        }
        await mutex.lock();
        got.push(await filled.wait(mutex, { timeoutNs: 3 }).catch((error: Error) => error.name));
        got.push(mutex.locked);
        mutex.unlock();
      })
      .detach();
    await host.run();
    expect(got).toEqual([1, 2, 'DEADLINE_EXCEEDED', true]);
    expect(host.runtime.threads.leftovers()).toEqual([]);
  });

  test('a thread that yields alone gives up the core; a long turn does too', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    let rounds = 0;
    const spin = async (): Promise<void> => {
      while (rounds < 20_000) {
        rounds += 1;
        await threads.yield();
      }
    };
    threads.spawn('a', spin).detach();
    await host.turn();
    expect([host.more, rounds]).toEqual([true, 1]);
    threads.spawn('b', spin).detach();
    await host.turn();
    expect(host.more).toBe(true);
    expect(rounds).toBeGreaterThan(1_000);
    expect(rounds).toBeLessThan(6_000);
    await host.run();
    expect(rounds).toBeGreaterThanOrEqual(20_000);
  });

  test('leftovers name threads that were not joined and what is held', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    threads.spawn('orphan', () => 1);
    threads.spawn('waiting', () => threads.semaphore(0).wait());
    await host.turn();
    expect(threads.leftovers()).toEqual(['thread orphan was not joined', 'thread waiting has not ended']);
    expect(threads.list().find(({ name }) => name === 'waiting')?.waitsFor).toBe('semaphore unnamed');
  });

  test('timers fire in order of time, and the kernel is asked for the earliest', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    const log: number[] = [];
    for (const ns of [30, 10, 20, 10])
      threads
        .spawn(`t${ns}`, async () => {
          await threads.sleep(ns);
          log.push(host.time);
        })
        .detach();
    const calls = await host.turn();
    expect(calls).toEqual([[0, 'set_timer', [0, 10]]]);
    await host.run();
    expect(log).toEqual([10, 10, 20, 30]);
  });
});

describe('a wait set', () => {
  test('serves every kind of source in the order of readiness, one event each, and tells who ended', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    const [news, jobs] = [threads.events<string>('news'), threads.events<number>('jobs')];
    const worker = threads.spawn('worker', async () => {
      await threads.sleep(50);
      return 'done';
    });
    const ticks = threads.every(20);
    const seen: unknown[] = [];
    threads
      .spawn('main', async () => {
        const set = threads.waitSet().add('job', jobs).add('news', news).add('worker', worker.ended).add('tick', ticks);
        for await (const event of set) {
          seen.push([event.tag, event.ok ? event.value : event.error.name, host.time]);
          if (event.tag === 'worker') ticks.stop();
        }
      })
      .detach();
    await host.turn();
    for (const n of [1, 2]) jobs.push(n);
    news.push('rain');
    await host.turn();
    host.time = 20;
    await host.turn();
    news.end(new MkError('CHANNEL_CLOSED', ''));
    host.time = 55;
    await host.turn();
    jobs.end(new MkError('CHANNEL_CLOSED', ''));
    await host.run(5);
    expect(seen).toEqual([
      ['job', 1, 0],
      ['job', 2, 0],
      ['news', 'rain', 0],
      ['tick', 20, 20],
      ['news', 'CHANNEL_CLOSED', 55],
      ['tick', 55, 55],
      ['worker', { ok: true, value: 'done' }, 55],
      ['tick', 'CANCELLED', 55],
      ['job', 'CHANNEL_CLOSED', 55],
    ]);
  });

  test('with many threads waiting each event goes to one, who waits longest first', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    const source = threads.events<number>('numbers');
    const set = threads.waitSet().add('n', source);
    const seen: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      threads
        .spawn(name, async () => {
          for (;;) {
            const event = await set.next();
            if (!event.ok) return;
            seen.push(`${name}${event.value as number}`);
          }
        })
        .detach();
    }
    await host.turn();
    for (let n = 0; n < 7; n += 1) {
      source.push(n);
      if (n % 3 === 2) await host.turn();
    }
    await host.turn();
    expect(seen).toEqual(['a0', 'b1', 'c2', 'a3', 'b4', 'c5', 'a6']);
  });
});

describe('invariants of a program', () => {
  test('are looked at after each step of a thread, and end the program when they are broken', async () => {
    const host = new TestHost();
    const { runtime } = host;
    let money = 100;
    runtime.invariants.always('no overdraft', () => money >= 0 || `${money} in the account`);
    runtime.threads
      .spawn('spender', async () => {
        for (;;) {
          money -= 30;
          await runtime.threads.yield();
        }
      })
      .detach();
    await host.run();
    expect(host.failure?.error).toBe('INVARIANT_VIOLATED');
    expect(host.failure?.text).toContain('thread spender: ');
    expect(host.failure?.text).toContain('no overdraft: -20 in the account');
  });
});

test('a mutex is known for as long as somebody holds it, over every hand-over', async () => {
  const host = new TestHost();
  const held = new Set<Mutex>();
  const mutex = new Mutex(host.runtime, 'm', held);
  const log: string[] = [];
  for (const name of ['one', 'two'])
    host.runtime.threads
      .spawn(name, () => mutex.with(() => void log.push(`${name} ${held.has(mutex) ? 'holds it' : 'is unknown'}`)))
      .detach();
  await host.run();
  expect(log).toEqual(['one holds it', 'two holds it']);
  expect(held.size).toBe(0);
});

describe('a sleep', () => {
  test('takes what every wait takes', async () => {
    const host = new TestHost();
    const { threads } = host.runtime;
    const ends: string[] = [];
    for (const options of [{ timeoutNs: 5 }, { deadline: 7 }, { timeoutNs: 1e15 }])
      threads
        .spawn('sleeper', () =>
          threads.sleep(100, options).then(
            () => void ends.push(`slept until ${host.time}`),
            (error: Error) => void ends.push(`${error.name} at ${host.time}`),
          ),
        )
        .detach();
    await host.run(20);
    expect(ends).toEqual(['DEADLINE_EXCEEDED at 5', 'DEADLINE_EXCEEDED at 7', 'slept until 100']);
  });
});

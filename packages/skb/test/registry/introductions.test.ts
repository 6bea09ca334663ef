import { describe, expect, test } from '@jest/globals';
import { MILLISECOND, SECOND } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import { BLOCK, Introductions } from '@mk/skb/registry/introductions';
import type { Member } from '@mk/skb/registry/member';

function bench(count: number) {
  const members = new Map<number, Member>();
  const timers = new TimerQueue();
  const told: string[] = [];
  const tell = ({ core }: Member, message: Message): void => {
    if ('monitors' in message)
      told.push(
        `${core} ${message.type} ${message.monitors.map(([of, incarnation]) => `${of}.${incarnation}`).join(' ')}`,
      );
  };
  const introductions = new Introductions({ members, expected: count, tell }, timers);
  const join = (core: number, incarnation = 1): Member => {
    const member = {
      core,
      incarnation,
      instance: `i${core}.${incarnation}`,
      address: '',
      initialised: false,
    } as Member;
    members.set(core, member);
    return member;
  };
  const initialise = (core: number, now = 0): void => {
    members.get(core)!.initialised = true;
    introductions.initialised(members.get(core)!, now);
  };
  for (let core = 0; core < count; core += 1) join(core);
  return { members, timers, told, join, introductions, initialise };
}

describe('introductions', () => {
  test('wait for the last monitor of a booting machine: each pair once, the earlier of it hears', () => {
    const { told, initialise } = bench(4);
    for (const core of [3, 1, 2]) initialise(core);
    expect(told).toEqual([]);
    initialise(0);
    expect(told.sort()).toEqual([
      '1 new_monitor_notify 2.1 0.1',
      '2 new_monitor_notify 0.1',
      '3 new_monitor_notify 1.1 2.1 0.1',
    ]);
  });

  test('do not wait for ever for one that does not come', () => {
    const { told, timers, initialise } = bench(3);
    for (const core of [0, 1]) initialise(core);
    expect(told).toEqual([]);
    timers.expire(SECOND);
    expect(told).toEqual(['0 new_monitor_notify 1.1']);
  });

  test('that are answered over seconds make a few bind requests, and the last asker ends the waiting', () => {
    const cores = 64;
    const { told, members, timers, introductions, initialise } = bench(cores);
    for (let core = 0; core < cores; core += 1) initialise(core);
    timers.expire(30 * MILLISECOND);
    const [first] = members.keys();
    const rows = Array.from({ length: cores }, (_, core) => core).filter((core) => core !== first);
    const ask = (asker: number, now: number): void =>
      introductions.proxyBind(
        members.get(asker)!,
        rows,
        rows.map(() => 1),
        now,
      );
    told.length = 0;
    let now = 30 * MILLISECOND;
    for (let asker = 0; asker < cores - 1; asker += 1) {
      now += 40 * MILLISECOND;
      timers.expire(now);
      ask(asker, now);
    }
    const requests = told.filter((line) => line.includes('bind_monitor_request') && line.startsWith('7 '));
    expect(requests.length).toBeLessThan(16);
    expect(requests.flatMap((line) => line.split(' ').slice(2))).toHaveLength(cores - 1);
    expect(introductions.pending).toBe(false);
  });

  test('go out at once on a machine that is complete', () => {
    const { told, initialise, join } = bench(2);
    for (const core of [0, 1]) initialise(core);
    told.length = 0;
    join(2);
    initialise(2);
    expect(told).toEqual(['0 new_monitor_notify 2.1', '1 new_monitor_notify 2.1']);
  });

  test('go out in blocks, with a pause, where many wait: each pair once, the earlier of it hears', () => {
    const { told, timers, introductions, initialise } = bench(100);
    const order = Array.from({ length: 100 }, (_, i) => (i * 37) % 100);
    const heard = (): string[] =>
      told.flatMap((line) =>
        line
          .split(' ')
          .slice(2)
          .map((row) => `${line.split(' ')[0]} ${row}`),
      );
    for (const core of order.slice(0, BLOCK - 1)) initialise(core);
    expect(told).toEqual([]);
    for (const core of order.slice(BLOCK - 1)) initialise(core);
    expect(heard()).toHaveLength((BLOCK * (BLOCK - 1)) / 2);
    for (let ms = 1; introductions.pending && ms < 1000; ms++) {
      const before = heard().length;
      timers.expire(ms * MILLISECOND);
      expect(heard().length - before).toBeLessThanOrEqual(BLOCK * 100);
    }
    expect(heard().sort()).toEqual(
      order.flatMap((later, i) => order.slice(0, i).map((earlier) => `${earlier} ${later}.1`)).sort(),
    );
  });

  test('after a full block wait for 20 ms', () => {
    const { told, timers, initialise, join } = bench(BLOCK);
    for (let core = 0; core < BLOCK; core++) initialise(core);
    told.length = 0;
    join(BLOCK);
    initialise(BLOCK);
    timers.expire(19 * MILLISECOND);
    expect(told).toEqual([]);
    timers.expire(20 * MILLISECOND);
    expect(told).toHaveLength(BLOCK);
  });

  test('collect who asks for a new monitor', () => {
    const { members, told, timers, introductions } = bench(4);
    for (const asker of [1, 2]) introductions.proxyBind(members.get(asker)!, [3], [1], 0);
    timers.expire(SECOND);
    expect(told).toEqual(['3 bind_monitor_request 1.1 2.1']);
  });

  test('leave out who was replaced meanwhile', () => {
    const { members, told, timers, join, introductions, initialise } = bench(4);
    for (const core of [0, 1]) initialise(core);
    introductions.proxyBind(members.get(2)!, [3], [7], 0); // a past incarnation of core 3
    introductions.proxyBind(members.get(2)!, [3], [1], 0);
    join(1, 2);
    join(2, 2);
    timers.expire(10 * MILLISECOND);
    timers.expire(SECOND);
    expect(told).toEqual([]);
  });
});

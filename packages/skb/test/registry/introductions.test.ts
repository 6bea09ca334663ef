import { describe, expect, test } from '@jest/globals';
import { MILLISECOND } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import { TimerQueue } from '@mk/monitor-proto/timer-queue';
import { Introductions } from '@mk/skb/registry/introductions';
import type { Member } from '@mk/skb/registry/registry';

function bench(count: number) {
  const members = new Map<number, Member>();
  const timers = new TimerQueue();
  const told: string[] = [];
  const tell = ({ core }: Member, message: Message): void => {
    if ('monitors' in message) told.push(`${core} ${message.type} ${message.monitors.map(([of, incarnation]) => `${of}.${incarnation}`).join(' ')}`);
  };
  const join = (core: number, incarnation = 1): Member => {
    const member = { core, incarnation, instance: `i${core}.${incarnation}`, address: '', announced: false } as Member;
    members.set(core, member);
    return member;
  };
  for (let core = 0; core < count; core += 1) join(core);
  return { members, timers, told, join, introductions: new Introductions({ members, timers, tell }) };
}

describe('introductions', () => {
  test('on a small machine go out at once', () => {
    const { members, told, timers, introductions } = bench(3);
    for (const member of members.values()) introductions.announce(member, 0);
    expect(told).toEqual(['0 new_monitor_notify 1.1', '0 new_monitor_notify 2.1', '1 new_monitor_notify 2.1']);
    expect(timers.size).toBe(0);
  });

  test('on a large one are gathered: each pair still once, the earlier of it hears', () => {
    const { members, told, timers, introductions } = bench(100);
    for (const core of [7, 3, 5]) introductions.announce(members.get(core)!, 0);
    expect(told).toEqual([]);
    timers.expire(MILLISECOND);
    expect(told).toEqual(['7 new_monitor_notify 3.1 5.1', '3 new_monitor_notify 5.1']);
    introductions.announce(members.get(9)!, 2 * MILLISECOND);
    for (const asker of [3, 7]) introductions.request(members.get(5)!, members.get(asker)!, 2 * MILLISECOND);
    timers.expire(3 * MILLISECOND);
    expect(told.slice(2).sort()).toEqual(['3 new_monitor_notify 9.1', '5 bind_monitor_request 3.1 7.1', '5 new_monitor_notify 9.1', '7 new_monitor_notify 9.1']);
  });

  test('leave out who was replaced meanwhile', () => {
    const { members, told, timers, join, introductions } = bench(100);
    for (const core of [1, 2]) introductions.announce(members.get(core)!, 0);
    introductions.request(members.get(4)!, members.get(5)!, 0);
    join(2, 2);
    join(5, 2);
    timers.expire(MILLISECOND);
    expect(told).toEqual([]);
  });
});

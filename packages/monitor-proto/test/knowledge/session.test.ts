/** N1 and N2 over a network that delays and sometimes loses, and a service that sleeps, restarts and forgets. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Session } from '../../src/knowledge/session.ts';
import type { Message } from '../../src/messages/table.ts';
import { TimerQueue } from '../../src/timer-queue.ts';

const MS = 1e6;
const TIMEOUT_MS = 8_000;

/** A client's session, and the belief of a service that hears of it after some delay. */
class Bench {
  readonly timers = new TimerQueue();
  readonly sent: { readonly id: number; readonly begins: boolean; readonly at: number }[] = [];
  lostAt: number[] = [];
  begun = 0;
  now = 0;
  readonly session = new Session(this.timers, {
    send: (message: Message) => {
      if (message.type === 'session_alive') this.sent.push({ id: message.id, begins: message.begins, at: this.now });
    },
    lost: () => this.lostAt.push(this.now),
    begun: () => (this.begun += 1),
  });

  run(untilMs: number): void {
    while (this.timers.next <= untilMs * MS) {
      this.now = Math.max(this.now, this.timers.next);
      this.timers.expire(this.now);
    }
    this.now = untilMs * MS;
  }

  reply(id: number): void {
    this.session.renewed({ type: 'session_alive_reply', id, timeout_ms: TIMEOUT_MS }, this.now);
  }
}

describe('a session', () => {
  test('N1: whatever is late or lost, the client knows no later than the service gives it up', () => {
    const delays = fc.array(fc.tuple(fc.integer({ min: 0, max: 9_000 }), fc.integer({ min: 0, max: 9_000 })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(delays, (trips) => {
        const bench = new Bench();
        bench.session.up(true, null, 0);
        let heardAt = 0;
        for (const [there, back] of trips) {
          const asked = bench.sent.at(-1)!;
          heardAt = Math.max(heardAt, asked.at + there * MS);
          if (heardAt - asked.at >= TIMEOUT_MS * MS) break; // the service has given it up already
          const backAt = Math.max(bench.now, heardAt + back * MS);
          bench.run(backAt / MS);
          if (bench.lostAt.length > 0) break;
          bench.reply(asked.id);
        }
        bench.run(bench.now / MS + 3 * TIMEOUT_MS);
        expect(bench.lostAt).toHaveLength(1);
        expect(bench.lostAt[0]).toBeLessThanOrEqual(heardAt + TIMEOUT_MS * MS);
      }),
    );
  });

  test('goes on for ever while it is answered in time, asking five times in a time-out', () => {
    const bench = new Bench();
    bench.session.up(true, null, 0);
    for (let answered = 0; answered < 100; answered++) {
      bench.reply(bench.sent.at(-1)!.id);
      while (bench.sent.length === answered + 1) bench.run(bench.now / MS + 100);
    }
    expect(bench.lostAt).toEqual([]);
    expect(bench.sent.every(({ begins }) => !begins)).toBe(true);
    expect(bench.now / MS).toBeGreaterThan(99 * (TIMEOUT_MS / 5));
  });

  test('N2: after a loss the next one begins again, once, and a renewal of the old one changes nothing', () => {
    const bench = new Bench();
    bench.session.up(true, null, 0);
    const old = bench.sent[0]!;
    bench.run(TIMEOUT_MS + 1);
    expect(bench.lostAt).toHaveLength(1);
    expect(bench.session.alive).toBe(false);
    bench.reply(old.id);
    bench.run(bench.now / MS + 2_000);
    const [, next] = bench.sent;
    expect(next).toMatchObject({ begins: true });
    expect(bench.begun).toBe(1);
    bench.reply(next!.id);
    bench.run(bench.now / MS + 2_000);
    expect(bench.sent.slice(2).every(({ begins }) => !begins)).toBe(true);
  });

  test('what the service has given up is lost at once; a restart before another has begun loses that too', () => {
    const bench = new Bench();
    bench.session.up(true, null, 0);
    bench.reply(1);
    bench.session.given('it was silent', bench.now);
    expect(bench.lostAt).toHaveLength(1);
    expect(bench.sent.at(-1)).toMatchObject({ begins: true });
    bench.session.up(true, null, bench.now);
    expect(bench.lostAt).toHaveLength(2);
    expect(bench.sent.at(-1)).toMatchObject({ begins: true });
  });
});

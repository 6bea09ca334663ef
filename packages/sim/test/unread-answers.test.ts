import { expect, test } from '@jest/globals';
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import type { ControlReply } from '@mk/monitor-proto/step';
import { applyFault, healAll } from '@mk/sim/engine/apply-fault';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import { fastMac } from '@mk/sim/engine/fast-mac';

/**
 * A core that reaches the SKB and is not reached by it. What waits for it there is bounded; it stays a member, and nothing
 * that it asked for goes unanswered.
 */

/** Longer than the test: the SKB's silence is not what it is about. */
const SETTINGS = JSON.stringify({ skbSilenceMs: 3_600_000 });
const DEAF = 1;
const TRIGGERS = 40;
/** On set, on deletion, until it is removed. */
const ALL = 1 | 2 | 4;

class Run {
  readonly simulation = new Simulation({
    ...{ seed: 3, cores: 3, settings: SETTINGS, machine: flatMachine(), hmac: fastMac, logLevel: 'info', hash: false },
  });
  readonly events: string[] = [];

  constructor() {
    this.simulation.observe({ line: ({ event }, node) => void this.events.push(`${node.id} ${event}`) });
    this.simulation.start();
    this.until(() => this.skb.registry.meshComplete);
  }

  get skb(): NonNullable<ReturnType<Simulation['node']>['skb']> {
    return this.simulation.node(SKB_PEER).skb!;
  }

  until(condition: () => boolean): void {
    expect(this.simulation.run(this.simulation.now + 600 * SECOND, condition)).toBe(true);
  }

  /** Makes all requests at once; their answers, as they come. */
  asks(core: number, requests: readonly OctopusRequest[]): ControlReply[] {
    const replies: ControlReply[] = [];
    for (const request of requests)
      this.simulation.control(core, 'octopus', { request }, (reply) => void replies.push(reply));
    return replies;
  }

  sets(records: readonly string[]): void {
    for (let at = 0; at < records.length; at += 4_000) {
      const some = records.slice(at, at + 4_000);
      const replies = this.asks(
        0,
        some.map((record) => ({ type: 'set', record })),
      );
      this.until(() => replies.length === some.length);
      for (const reply of replies) expect(reply).toMatchObject({ value: { ok: true } });
    }
  }

  deafen(): void {
    applyFault(this.simulation, {
      type: 'rule',
      rule: { kind: 'partition', id: 'deaf', groups: [[SKB_PEER], [DEAF]], one_way: true, for_ns: null },
    });
  }

  expectAlive(): void {
    expect(this.events.filter((event) => /peer_gone|member_gone|core_booted_again/.test(event))).toEqual([]);
    const replies = this.asks(DEAF, [{ type: 'set', record: 'still_here' }]);
    this.until(() => replies.length === 1);
    expect(replies[0]).toMatchObject({ ok: true, value: { ok: true } });
  }
}

test('news that it does not take end its session, not the core: it is told when it hears again', () => {
  const run = new Run();
  const triggers = Array.from({ length: TRIGGERS }, (_, i) => i + 1);
  const watched = run.asks(
    DEAF,
    triggers.map((id) => ({ type: 'get', query: '_', trigger: { id, inCase: 'NO_RECORD', mode: ALL } })),
  );
  run.until(() => watched.length === TRIGGERS);
  const told: unknown[] = [];
  run.deafen();
  const rounds = Math.ceil((limit('clientUnread') + limit('clientBacklog') + 1_000) / TRIGGERS);
  run.sets(Array.from({ length: rounds }, (_, i) => `x${i % 100} { n: ${i} }`));
  expect(run.events.filter((event) => event.endsWith('session_overrun'))).toHaveLength(1);
  run.simulation.control(DEAF, 'octopus_told', { id: 7 }, (reply) => void told.push(reply.ok && reply.value));
  healAll(run.simulation);
  run.until(() => told.length === 1);
  const next = (): unknown => {
    const before = told.length;
    run.simulation.control(DEAF, 'octopus_told', { id: 7 }, (reply) => void told.push(reply.ok && reply.value));
    run.until(() => told.length > before);
    return told.at(-1);
  };
  let heard = told[0];
  for (let i = 0; heard !== null && i < 2 * rounds; i++) heard = next();
  expect(heard).toBeNull();
  run.expectAlive();
});

test('answers that it does not take hold up its own next requests, and all come when it hears again', () => {
  const run = new Run();
  run.sets(Array.from({ length: 600 }, (_, i) => `${'x'.repeat(246)}_${i}`));
  run.deafen();
  const count = 650;
  // More than fits unread, were all of them performed.
  expect(count * 600 * 250).toBeGreaterThan(limit('clientUnread') * 60_000 + limit('clientBacklogCharacters'));
  const names = run.asks(
    DEAF,
    Array.from({ length: count }, () => ({ type: 'get_names', query: '_' }) as const),
  );
  run.simulation.run(run.simulation.now + 4 * SECOND); // within its session
  expect(names.length).toBe(0);
  healAll(run.simulation);
  run.until(() => names.length === count);
  for (const reply of names) expect(reply).toMatchObject({ ok: true, value: { ok: true } });
  expect(run.events.filter((event) => event.endsWith('session_overrun'))).toEqual([]);
  run.expectAlive();
});

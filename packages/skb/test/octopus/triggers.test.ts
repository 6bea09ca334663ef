/** The intents of Barrelfish's d2trigger and d2pubsub. */
import { describe, expect, test } from '@jest/globals';
import { type OctopusRequest, TRIGGER } from '@mk/monitor-proto/octopus/requests';
import { OCTOPUS_LIMITS } from '../../src/octopus/limits.ts';
import { answer, Bench } from './store-bench.ts';

const { ON_SET, ON_DEL, PERSIST, ALWAYS, REMOVED, PUBLISH } = TRIGGER;

/** Reports once when a record appears that is absent now. */
function waitingAs(id: number) {
  return { id, inCase: 'NO_RECORD', mode: ON_SET } as const;
}

describe('triggers (d2trigger)', () => {
  test('a wait for a record tells once, with REMOVED, when the record comes', () => {
    const bench = new Bench();
    expect(bench.ask({ type: 'get', query: 'r { a: > 1 }', trigger: waitingAs(5) })).toMatchObject({
      error: 'NO_RECORD',
      installed: true,
    });
    bench.set('r { a: 1 }');
    bench.set('r { a: 2 }');
    bench.set('r { a: 3 }');
    expect(bench.drain()).toEqual([`c1 5 ${ON_SET | REMOVED} r { a: 2 }`]);
    expect(bench.ask({ type: 'get', query: 'r', trigger: waitingAs(6) })).toMatchObject({ ok: true, installed: false });
  });

  test('is installed only in its case, or ALWAYS', () => {
    const bench = new Bench();
    bench.set('r { a: 1 }');
    const watch = (inCase: 'OK' | 'NO_RECORD', mode: number, id: number): boolean =>
      bench.ask({ type: 'get', query: 'r', trigger: { id, inCase, mode } }).installed;
    expect(watch('NO_RECORD', ON_SET, 1)).toBe(false);
    expect(watch('OK', ON_DEL, 2)).toBe(true);
    expect(watch('NO_RECORD', ON_SET | ALWAYS | PERSIST, 3)).toBe(true);
    bench.set('r { a: 2 }');
    bench.del('r');
    bench.set('r { a: 3 }');
    expect(bench.drain()).toEqual([
      `c1 3 ${ON_SET} r { a: 2 }`,
      `c1 2 ${ON_DEL | REMOVED} r { a: 2 }`,
      `c1 3 ${ON_SET} r { a: 3 }`,
    ]);
  });

  test('removing a persistent trigger tells a last time', () => {
    const bench = new Bench();
    bench.ask({
      type: 'get',
      query: "r'^x'",
      trigger: { id: 1, inCase: 'NO_RECORD', mode: ON_SET | ON_DEL | PERSIST },
    });
    bench.set('x1');
    bench.set('y1');
    bench.del('x1');
    expect(answer(bench.ask({ type: 'remove_trigger', id: 1 }))).toBe('OK');
    bench.set('x2');
    expect(answer(bench.ask({ type: 'remove_trigger', id: 1 }))).toBe('NO_TRIGGER');
    expect(bench.drain()).toEqual([`c1 1 ${ON_SET} x1 {}`, `c1 1 ${ON_DEL} x1 {}`, `c1 1 ${REMOVED} null`]);
  });

  test('tells waiters in the order of installation, and each client by itself', () => {
    const bench = new Bench();
    bench.ask({ type: 'get', query: "r'r'", trigger: waitingAs(1) }, 'b');
    bench.ask({ type: 'get', query: 'r', trigger: waitingAs(1) }, 'a');
    bench.set('r');
    expect(bench.drain()).toEqual([`b 1 ${ON_SET | REMOVED} r {}`, `a 1 ${ON_SET | REMOVED} r {}`]);
  });

  test('an id in use refuses the whole request', () => {
    const bench = new Bench();
    const trigger = { id: 1, inCase: 'OK', mode: ON_DEL } as const;
    bench.set('r', { trigger });
    expect(bench.set('r { a: 1 }', { trigger })).toBe('TRIGGER_EXISTS');
    expect(bench.get('r')).toBe('r {}');
  });

  test('no wake-up is lost in 100,000 racing pairs', () => {
    const bench = new Bench();
    let waits = 0;
    for (let round = 0; round < 100_000; round++) {
      // Which of the two comes first varies from round to round.
      const first = (Math.imul(round, 2_654_435_761) >>> 16) & 1;
      const steps: (() => void)[] = [
        () => void (bench.ask({ type: 'get', query: 'flag', trigger: waitingAs(round) }).ok || waits++),
        () => void bench.set('flag', {}),
      ];
      steps[first]?.();
      steps[1 - first]?.();
      bench.del('flag');
    }
    expect(bench.drain()).toHaveLength(waits);
    expect(waits).toBeGreaterThan(10_000);
  });
});

describe('publish and subscribe (d2pubsub)', () => {
  test('only what matches, in order, until unsubscribed', () => {
    const bench = new Bench();
    const subscribe = (id: number, query: string): string => answer(bench.ask({ type: 'subscribe', id, query }));
    const publish = (record: string): string => answer(bench.ask({ type: 'publish', record }, 'c2'));
    expect(subscribe(1, '_ { age: > 10 }')).toBe('OK');
    expect(subscribe(2, "r'^pet' { name: _ }")).toBe('OK');
    expect(subscribe(2, '_')).toBe('TRIGGER_EXISTS');
    for (const [index, age] of [5, 11, 12, 30].entries()) publish(`pet_${index} { age: ${age}, name: x }`);
    publish('stone { weight: 3 }');
    const heard = bench.drain();
    expect(heard).toHaveLength(7);
    expect(heard.filter((line) => line.startsWith(`c1 1 ${PUBLISH}`))).toEqual([
      `c1 1 ${PUBLISH} pet_1 { age: 11, name: x }`,
      `c1 1 ${PUBLISH} pet_2 { age: 12, name: x }`,
      `c1 1 ${PUBLISH} pet_3 { age: 30, name: x }`,
    ]);
    expect(answer(bench.ask({ type: 'unsubscribe', id: 1 }))).toBe('OK');
    bench.ask({ type: 'unsubscribe', id: 2 });
    publish('pet { age: 99, name: y }');
    expect(bench.drain()).toEqual([`c1 1 ${PUBLISH | REMOVED} null`, `c1 2 ${PUBLISH | REMOVED} null`]);
    expect(bench.store.size).toBe(0);
  });
});

describe('when others have as many patterns as there may be', () => {
  const shares = Math.ceil(OCTOPUS_LIMITS.maxPatternTriggers / OCTOPUS_LIMITS.maxSubscriptionsPerClient);
  const clients = Array.from({ length: shares }, (_, index) => `greedy${index}`);
  const some = OCTOPUS_LIMITS.maxSubscriptionsPerClient;

  test('a wait for a name is installed all the same, as those of locks are; another pattern is refused', () => {
    const bench = new Bench();
    for (const client of clients)
      for (let id = 0; id < some; id++) bench.ask({ type: 'get', query: "r'^none'", trigger: waitingAs(id) }, client);
    bench.set('line_1');
    bench.set('line_2');
    const watched: readonly OctopusRequest[] = [
      { type: 'get', query: 'absent', trigger: waitingAs(1) },
      { type: 'exists', query: 'line', sequence: true, trigger: { id: 2, inCase: 'OK', mode: ON_DEL } },
      { type: 'predecessor', name: 'line_2', trigger: { id: 3, inCase: 'OK', mode: ON_DEL } },
      { type: 'take', name: 'permits', trigger: waitingAs(4) },
      { type: 'set', record: 'mine', trigger: { id: 5, inCase: 'OK', mode: ON_DEL } },
      { type: 'del', query: 'absent', trigger: waitingAs(6) },
    ];
    for (const request of watched) expect(bench.ask(request, 'modest')).toMatchObject({ installed: true });
    for (const query of ['_', "r'x'", '_ { a: 1 }'])
      expect(bench.ask({ type: 'get', query, trigger: waitingAs(7) }, 'modest')).toMatchObject({
        error: 'LIMIT_REACHED',
        installed: false,
      });
  });

  test('a subscription to a name is accepted, and one to a pattern refused', () => {
    const bench = new Bench();
    for (const client of clients)
      for (let id = 0; id < some; id++) bench.ask({ type: 'subscribe', query: "r'^none'", id }, client);
    expect(answer(bench.ask({ type: 'subscribe', query: 'news', id: 1 }, 'modest'))).toBe('OK');
    expect(answer(bench.ask({ type: 'subscribe', query: '_', id: 2 }, 'modest'))).toBe('LIMIT_REACHED');
  });
});

describe('owners', () => {
  test('transient records go with their owner, and tell', () => {
    const bench = new Bench();
    bench.set('a', { transient: true });
    bench.set('b', { transient: true });
    bench.set('c');
    bench.ask({ type: 'set', record: 'd', transient: true }, 'c2');
    bench.ask({ type: 'get', query: '_', trigger: { id: 1, inCase: 'OK', mode: ON_DEL | PERSIST } }, 'c2');
    const gone = bench.store.ownerGone('core-of-c1');
    bench.take(gone.notifications, gone.changes);
    expect(bench.names('_')).toBe('c d');
    expect(bench.drain()).toEqual([`c2 1 ${ON_DEL} a {}`, `c2 1 ${ON_DEL} b {}`]);
    expect(bench.store.owners()).toEqual(['core-of-c2']);
  });

  test('a transient record that is set again without it stays', () => {
    const bench = new Bench();
    bench.set('a', { transient: true });
    bench.set('a { kept: yes }');
    bench.store.ownerGone('core-of-c1');
    expect(bench.get('a')).toBe('a { kept: yes }');
  });

  test('a client’s triggers go with its connection', () => {
    const bench = new Bench();
    bench.ask({ type: 'get', query: 'r', trigger: waitingAs(1) });
    bench.ask({ type: 'subscribe', query: '_', id: 1 });
    bench.store.clientGone('c1');
    bench.set('r');
    bench.ask({ type: 'publish', record: 'r' });
    expect(bench.drain()).toEqual([]);
  });
});

/** The intents of Barrelfish's d2lock, d2barrier and d2sem, over a network that interleaves the clients' messages. */
import { describe, expect, test } from '@jest/globals';
import { enterBarrier } from '@mk/libmk/octopus/barrier';
import { acquireLock, withLock } from '@mk/libmk/octopus/lock';
import { isTaken, listServices, lookupService, registerService, waitForService } from '@mk/libmk/octopus/names';
import { Octopus } from '@mk/libmk/octopus/octopus';
import { postSemaphore, tryWaitSemaphore, waitSemaphore } from '@mk/libmk/octopus/semaphore';
import { OCTOPUS_LIMITS } from '@mk/skb/octopus/limits';
import { OctopusHarness } from './harness.ts';

const clients = (harness: OctopusHarness, count: number): Octopus[] =>
  Array.from({ length: count }, (_, index) => harness.client(`c${index}`));

describe('locks', () => {
  test('one holder at a time, in the order of asking, over 10,000 hand-overs', async () => {
    const harness = new OctopusHarness(1);
    const tickets: number[] = [];
    let holders = 0;
    await Promise.all(
      clients(harness, 16).map(async (octopus) => {
        for (let round = 0; round < 625; round++) {
          await withLock(octopus, 'lock', async ({ ticket }) => {
            expect(++holders).toBe(1);
            tickets.push(ticket);
            await octopus.get('anything');
            holders -= 1;
          });
        }
      }),
    );
    expect(tickets).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1));
    expect(harness.store.size).toBe(0);
  });

  test('the lock of a core that left goes to the next', async () => {
    const harness = new OctopusHarness(2);
    const [a, b, c] = clients(harness, 3) as [Octopus, Octopus, Octopus];
    await acquireLock(a, 'lock');
    const second = acquireLock(b, 'lock').catch((error: Error) => error.name);
    while ((await c.getNames("r'^lock:'")).length < 2);
    const third = acquireLock(c, 'lock');
    while ((await c.getNames("r'^lock:'")).length < 3);
    harness.ownerGone('c1');
    harness.ownerGone('c0');
    expect((await third).ticket).toBe(3);
    // What the departed client heard does not matter: its triggers went with it, or it found its record gone.
    await Promise.race([second, Promise.resolve()]);
  });

  test('giving up leaves the queue, and the next one waits for the one before', async () => {
    const harness = new OctopusHarness(3);
    const [a, b, c] = clients(harness, 3) as [Octopus, Octopus, Octopus];
    const held = await acquireLock(a, 'lock');
    const stop = new AbortController();
    const second = acquireLock(b, 'lock', stop.signal);
    while ((await a.getNames("r'^lock:'")).length < 2);
    const third = acquireLock(c, 'lock');
    while ((await a.getNames("r'^lock:'")).length < 3);
    stop.abort(new Error('no longer wanted'));
    await expect(second).rejects.toThrow('no longer wanted');
    await held.release();
    expect((await third).ticket).toBe(3);
  });

  test.each([1, 2, 3, 4, 5])('a restart of the service loses neither holders nor waiters (seed %i)', async (seed) => {
    const harness = new OctopusHarness(seed);
    const tickets: number[] = [];
    const work = clients(harness, 8).map(async (octopus) => {
      for (let round = 0; round < 40; round++)
        await withLock(octopus, 'lock', async ({ ticket }) => void tickets.push(ticket));
    });
    const nuisance = harness.client('nuisance');
    for (let restart = 0; restart < 20; restart++) {
      for (let pause = 0; pause < 10; pause++) await nuisance.get('x');
      harness.restart();
    }
    await Promise.all(work);
    expect(tickets).toEqual(Array.from({ length: 320 }, (_, index) => index + 1));
  });
});

describe('barriers', () => {
  test.each([1, 2, 3])('nobody passes before everybody came, round after round (seed %i)', async (seed) => {
    const harness = new OctopusHarness(seed);
    const arrived: number[] = Array.from({ length: 50 }, () => 0);
    const left: number[] = Array.from({ length: 50 }, () => 0);
    await Promise.all(
      clients(harness, 12).map(async (octopus) => {
        for (let round = 0; round < 50; round++) {
          arrived[round] = (arrived[round] ?? 0) + 1;
          const entered = await enterBarrier(octopus, 'barrier', 12);
          expect(arrived[round]).toBe(12);
          left[round] = (left[round] ?? 0) + 1;
          await entered.leave();
          expect(left[round]).toBe(12);
        }
      }),
    );
    expect(harness.store.size).toBe(0);
  });

  test('giving up takes the entry back', async () => {
    const harness = new OctopusHarness(4);
    const [a, b, c] = clients(harness, 3) as [Octopus, Octopus, Octopus];
    const stop = new AbortController();
    const first = enterBarrier(a, 'barrier', 2, stop.signal);
    while ((await b.getNames("r'^barrier:'")).length < 1);
    stop.abort(new Error('tired'));
    await expect(first).rejects.toThrow('tired');
    const both = await Promise.all([enterBarrier(b, 'barrier', 2), enterBarrier(c, 'barrier', 2)]);
    await Promise.all(both.map((entered) => entered.leave()));
  });
});

describe('semaphores', () => {
  test.each([1, 2, 3])('as many pass as were posted (seed %i)', async (seed) => {
    const harness = new OctopusHarness(seed);
    const all = clients(harness, 9);
    const posters = all.slice(0, 3).map(async (octopus) => {
      for (let post = 0; post < 100; post++) await postSemaphore(octopus, 'sem');
    });
    const waiters = all.slice(3).map(async (octopus) => {
      for (let wait = 0; wait < 50; wait++) await waitSemaphore(octopus, 'sem');
    });
    await Promise.all([...posters, ...waiters]);
    expect(await tryWaitSemaphore(all[0] as Octopus, 'sem')).toBe(false);
    expect(harness.store.size).toBe(0);
  });
});

describe('names', () => {
  test('a client that starts before its server still finds it; a name is taken once; it goes with its core', async () => {
    const harness = new OctopusHarness(1);
    const [server, client, other] = clients(harness, 3) as [Octopus, Octopus, Octopus];
    const found = waitForService(client, 'block-0');
    expect(await lookupService(client, 'block-0')).toBeUndefined();
    await registerService(server, 'block-0', { core: 3, kind: 'block', path: "/it's" });
    expect(await found).toEqual({ core: 3, kind: 'block', path: "/it's" });
    expect(await registerService(other, 'block-0', {}).catch(isTaken)).toBe(true);
    await registerService(other, 'net', { kind: 'network' });
    expect(await listServices(client)).toEqual(['block-0', 'net']);
    expect(await listServices(client, '{ kind: block }')).toEqual(['block-0']);
    harness.ownerGone('c0');
    expect(await listServices(client)).toEqual(['net']);
  });
});

describe('watches', () => {
  test('tell every change in order, and come back after a restart', async () => {
    const harness = new OctopusHarness(5);
    const [a, b] = clients(harness, 2) as [Octopus, Octopus];
    const told: string[] = [];
    const stop = await a.watch("r'^x'", ({ kind, record }) => told.push(`${kind} ${record?.text ?? ''}`));
    await b.set('x1 { v: 1 }');
    await b.set('y1 { v: 1 }');
    await b.delete('x1');
    await b.set('x2 { v: 2 }');
    while (told.length < 3) await b.get('y1');
    harness.restart();
    while (told.length < 5) await b.get('y1');
    await b.set('x2 { v: 3 }');
    while (told.length < 6) await b.get('y1');
    await stop();
    expect(told).toEqual([
      'set x1 { v: 1 }',
      'deleted x1 { v: 1 }',
      'set x2 { v: 2 }',
      'resumed ',
      'set x2 { v: 2 }',
      'set x2 { v: 3 }',
      'removed ',
    ]);
  });

  const watching = async (octopus: Octopus, query: string): Promise<string[]> => {
    const told: string[] = [];
    await octopus.watch(query, ({ kind, record }) => told.push(`${kind} ${record?.name ?? ''}`.trim()));
    return told;
  };

  /** Long enough for everything said before, and its consequences. */
  const settled = async (octopus: Octopus): Promise<void> => {
    for (let request = 0; request < 40; request++) await octopus.exists('nothing');
  };

  /** A few more than fit in two answers. */
  const many = Array.from({ length: 2 * OCTOPUS_LIMITS.maxNames + 3 }, (_, i) => `x${i}`);

  test('one of more records than one answer holds is told of each once after a restart, and of what comes then', async () => {
    const harness = new OctopusHarness(8);
    const [a, b] = clients(harness, 2) as [Octopus, Octopus];
    for (const name of many) harness.journal.push({ type: 'put', name, text: name });
    harness.restart();
    const told = await watching(a, "r'^x'");
    harness.restart();
    while (told.length <= many.length) await settled(b);
    await b.set('xlater');
    await settled(b);
    expect(told).toEqual(['resumed', ...many.map((name) => `set ${name}`), 'set xlater']);
  });

  test.each([1, 2, 3, 4, 5])('one is told the latest of what changes while it comes back (seed %i)', async (seed) => {
    const harness = new OctopusHarness(seed);
    const [a, b] = clients(harness, 2) as [Octopus, Octopus];
    const names = Array.from({ length: 20 }, (_, i) => `x${i}`);
    const held = new Map<string, string>();
    await a.watch("r'^x'", ({ kind, record }) => {
      if (record !== undefined && kind === 'set') held.set(record.name, record.text);
      else if (record !== undefined) held.delete(record.name);
    });
    for (const name of names) await b.set(`${name} { v: 0 }`);
    for (let restart = 1; restart < 20; restart++) {
      harness.restart();
      held.clear();
      await Promise.all(
        names.flatMap((name) => [b.set(`${name} { v: ${restart} }`), b.delete(name), b.set(`${name} { v: -1 }`)]),
      );
      for (const name of names.slice(10)) await b.delete(name);
      await settled(b);
      expect([...held.values()].sort()).toEqual(names.slice(0, 10).map((name) => `${name} { v: -1 }`));
    }
  });

  test('one whose records cannot be read again after a restart is lost, and leaves no trigger behind', async () => {
    const harness = new OctopusHarness(8);
    const inner = harness.transport('c0');
    const refusal = { ok: false, error: 'QUERY_TOO_COSTLY', detail: '', installed: false } as const;
    const a = new Octopus({
      ...inner,
      request: (request) => (request.type === 'get_names' ? Promise.resolve(refusal) : inner.request(request)),
    });
    const b = harness.client('c1');
    const told = await watching(a, '_');
    harness.restart();
    await settled(b);
    await b.set('later');
    await settled(b);
    expect(harness.store.triggersOf('c0')).toBe(0);
    expect(told).toEqual(['resumed', 'lost']);
  });

  test('one that is lost in the turn of its reply does not come back', async () => {
    const harness = new OctopusHarness(9);
    const inner = harness.transport('c0');
    const listeners: Parameters<typeof inner.onNotification>[0][] = [];
    const octopus = new Octopus({
      ...inner,
      onNotification: (listener) => {
        listeners.push(listener);
        return inner.onNotification(listener);
      },
      request: async (request) => {
        const reply = await inner.request(request);
        if (request.type === 'get' && request.trigger !== undefined) {
          await inner.request({ type: 'remove_trigger', id: request.trigger.id });
          for (const tell of listeners)
            tell({ id: request.trigger.id, mode: 0, record: null, error: 'QUERY_TOO_COSTLY' });
        }
        return reply;
      },
    });
    const told = await watching(octopus, '_');
    harness.restart();
    await settled(octopus);
    expect(told.filter((line) => line !== 'removed')).toEqual(['lost']);
    expect(harness.store.triggersOf('c0')).toBe(0);
  });

  test('one that the service forgot while its reply was under way is installed again', async () => {
    const harness = new OctopusHarness(10);
    const inner = harness.transport('c0');
    const other = harness.client('c1');
    const resets: (() => void)[] = [];
    const octopus = new Octopus({
      ...inner,
      onReset: (listener) => {
        resets.push(listener);
        return inner.onReset(listener);
      },
      request: async (request) => {
        const reply = await inner.request(request);
        if (resets.length > 0) harness.store.clientGone('c0');
        for (const reset of resets.splice(0)) reset();
        return reply;
      },
    });
    const told = await watching(octopus, '_');
    await settled(other);
    await other.set('x');
    await settled(other);
    expect(told).toEqual(['resumed', 'set x']);
  });

  test('a subscription hears what matches, once', async () => {
    const harness = new OctopusHarness(6);
    const [a, b] = clients(harness, 2) as [Octopus, Octopus];
    const heard: string[] = [];
    const stop = await a.subscribe('_ { age: > 10 }', ({ kind, record }) =>
      heard.push(`${kind} ${record?.attributes['age'] ?? ''}`),
    );
    for (const age of [5, 11, 20, 7, 30]) await b.publish(`pet { age: ${age} }`);
    await stop();
    await b.publish('pet { age: 99 }');
    expect(heard).toEqual(['published 11', 'published 20', 'published 30', 'removed ']);
  });
});

/**
 * A wait that its caller gives up ends at once with the signal's reason, at any time and whether or not the service
 * answers; its request leaves nothing behind. Found by a program whose AbortSignal.timeout did not end a wait for a
 * lock while the SKB was away.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { enterBarrier } from '@mk/libmk/octopus/barrier';
import { acquireLock } from '@mk/libmk/octopus/lock';
import { registerService, waitForService } from '@mk/libmk/octopus/names';
import { Octopus } from '@mk/libmk/octopus/octopus';
import { acquirePermit, postSemaphore, waitSemaphore } from '@mk/libmk/octopus/semaphore';
import type { OctopusTransport } from '@mk/libmk/octopus/transport';
import type { OctopusReply, OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import { OctopusHarness } from './harness.ts';

/** A link that lets a number of requests through; the others wait until it is opened, or fail when it is closed. */
class Gate implements OctopusTransport {
  passed = 0;
  private waiting: { readonly pass: () => void; readonly fail: (error: Error) => void }[] = [];
  private state: 'counting' | 'open' | 'closed' = 'counting';

  constructor(
    private readonly inner: OctopusTransport,
    private readonly most: number,
  ) {}

  request(request: OctopusRequest): Promise<OctopusReply> {
    if (this.state === 'closed') return Promise.reject(new Error('the link is closed'));
    if (this.state === 'open' || this.passed < this.most) {
      this.passed += 1;
      return this.inner.request(request);
    }
    return new Promise((resolve, reject) =>
      this.waiting.push({ pass: () => void this.inner.request(request).then(resolve), fail: reject }),
    );
  }

  onNotification(listener: Parameters<OctopusTransport['onNotification']>[0]): () => void {
    return this.inner.onNotification(listener);
  }

  onReset(listener: () => void): () => void {
    return this.inner.onReset(listener);
  }

  open(): void {
    this.state = 'open';
    for (const { pass } of this.waiting.splice(0)) pass();
  }

  close(): void {
    this.state = 'closed';
    for (const { fail } of this.waiting.splice(0)) fail(new Error('the link is closed'));
  }
}

type Waiting = (octopus: Octopus, signal: AbortSignal) => Promise<unknown>;

/** Each waits for ever if it is alone. */
const WAITS: { readonly [name: string]: Waiting } = {
  waitFor: (octopus, signal) => octopus.waitFor('missing', signal),
  waitForService: (octopus, signal) => waitForService(octopus, 'missing', signal),
  acquireLock: (octopus, signal) => acquireLock(octopus, 'held', signal),
  acquirePermit: (octopus, signal) => acquirePermit(octopus, 'empty', signal),
  waitSemaphore: (octopus, signal) => waitSemaphore(octopus, 'empty', signal),
  enterBarrier: (octopus, signal) => enterBarrier(octopus, 'barrier', 2, signal),
};
/** These do not wait, unless the service does not answer. */
const GETS: { readonly [name: string]: Waiting } = {
  'a free lock': (octopus, signal) => acquireLock(octopus, 'free', signal),
  'a permit that is there': (octopus, signal) => acquirePermit(octopus, 'full', signal),
  'one of a semaphore': (octopus, signal) => waitSemaphore(octopus, 'full', signal),
  'a barrier for one': (octopus, signal) => enterBarrier(octopus, 'one', 1, signal),
  'the way out of a barrier': async (octopus, signal) => (await enterBarrier(octopus, 'one', 1, signal)).leave(signal),
};

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
};

/** A service with a lock that is held and a semaphore of two; `names` are the records that must be there afterwards. */
async function service(): Promise<{ harness: OctopusHarness; other: Octopus; names(): readonly string[] }> {
  const harness = new OctopusHarness(7);
  const other = harness.client('other');
  await acquireLock(other, 'held');
  for (let permit = 0; permit < 2; permit++) await postSemaphore(other, 'full');
  return { harness, other, names: () => harness.store.snapshot().flatMap(nameOfRecord).toSorted() };
}

function nameOfRecord(change: { readonly type: string; readonly name?: string }): readonly string[] {
  return change.type === 'put' && change.name !== undefined ? [change.name.replace(/_\d+$/, '')] : [];
}

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(() => {
  process.off('unhandledRejection', note);
  expect(unhandled.splice(0)).toEqual([]);
});

describe.each(Object.entries({ ...WAITS, ...GETS }))('%s', (_name, wait) => {
  test('is given up at once, after any request, and leaves nothing behind', async () => {
    const gives = Object.values(GETS).includes(wait);
    for (let most = 0; ; most++) {
      const { harness, other, names } = await service();
      const before = names();
      const gate = new Gate(harness.transport('client'), most);
      const stop = new AbortController();
      const outcome = wait(new Octopus(gate), stop.signal).then(
        () => 'has it',
        (error: Error) => error.message,
      );
      await settled();
      stop.abort(new Error('tired'));
      const ended = await outcome; // though the service says nothing
      if (gives && ended === 'has it') return;
      expect(ended).toBe('tired');
      gate.open();
      await settled();
      await (await enterBarrier(other, 'one', 1)).leave(); // a round whose members are gone stops nobody
      expect(names()).toEqual(before);
      expect(harness.store.triggersOf('client')).toBe(0);
      if (gate.passed < most) return; // it had already made all its requests
    }
  });

  test('and the link closed at once: nothing is rejected that nobody holds', async () => {
    for (let most = 0; most < 8; most++) {
      const { harness } = await service();
      const gate = new Gate(harness.transport('client'), most);
      const stop = new AbortController();
      const outcome = wait(new Octopus(gate), stop.signal).catch((error: Error) => error.message);
      await settled();
      stop.abort(new Error('tired'));
      gate.close();
      expect(['tired', 'has it', undefined]).toContain(typeof (await outcome) === 'object' ? 'has it' : await outcome);
      await settled();
    }
  });

  test('asks for nothing when it was given up before', async () => {
    const { harness } = await service();
    const gate = new Gate(harness.transport('client'), 100);
    const stopped = AbortSignal.abort(new Error('tired'));
    await expect(wait(new Octopus(gate), stopped)).rejects.toThrow('tired');
    expect(gate.passed).toBe(0);
  });
});

describe('what cannot be watched is not kept', () => {
  const refusing = (harness: OctopusHarness): Octopus => {
    const inner = harness.transport('client');
    return new Octopus({
      ...inner,
      request: (request) => {
        const isWatch = request.type === 'exists';
        const refused = { ok: false, error: 'LIMIT_REACHED', detail: 'no more triggers', installed: false } as const;
        return isWatch ? Promise.resolve(refused) : inner.request(request);
      },
    });
  };

  test.each([
    ['a lock', (octopus: Octopus) => acquireLock(octopus, 'free')],
    ['a permit', (octopus: Octopus) => acquirePermit(octopus, 'full')],
    ['a service', (octopus: Octopus) => registerService(octopus, 'disk', { core: 1 })],
    ['an entry in a barrier', (octopus: Octopus) => enterBarrier(octopus, 'one', 1)],
  ])('%s', async (_what, take) => {
    const { harness, names } = await service();
    const before = names();
    await expect(take(refusing(harness))).rejects.toThrow('LIMIT_REACHED');
    await settled();
    expect(names()).toEqual(before);
  });
});

test.each([0, -1, 1.5, NaN, Infinity])('a barrier for %p is refused before anybody enters', async (count) => {
  const { harness, other } = await service();
  const before = harness.store.size;
  await expect(enterBarrier(other, 'odd', count)).rejects.toThrow('BAD_REQUEST');
  expect(harness.store.size).toBe(before);
});

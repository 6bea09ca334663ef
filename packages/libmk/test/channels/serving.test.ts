import { expect, test } from '@jest/globals';
import { ChannelEnd } from '../../src/channels/channel-end.ts';
import { makeClient } from '../../src/channels/client.ts';
import { ServiceEnd } from '../../src/channels/service.ts';
import { defineInterface, message, rpc } from '../../src/interface/interface.ts';
import { u32 } from '../../src/interface/kinds.ts';
import { MkError } from '../../src/runtime/mk-error.ts';
import { EventQueue } from '../../src/runtime/event-queue.ts';
import { createPrng } from '@mk/monitor-proto/prng';
import { TestHost } from '../runtime/test-host.ts';

const Work = defineInterface('work', { quick: message({ n: u32 }), slow: rpc({ in: { n: u32 } }), stop: message({}) });

/** A service, and a client on another dispatcher; the test carries the client's batches over. */
function service(concurrency: number, onConnect: () => void = () => undefined) {
  const [here, there] = [new TestHost(), new TestHost()];
  const facts = { id: 7, transport: 'lmp', core: 0, windowBytes: 4096 } as const;
  const ends = [here, there].map(({ runtime }) => {
    const end = new ChannelEnd(runtime, facts, 'the channel', () => undefined);
    runtime.beforeTurnEnds(() => end.turnEnds());
    return end;
  });
  const [serving, asking] = ends as [ChannelEnd, ChannelEnd];
  const log: string[] = [];
  let [running, most] = [0, 0];
  const begin = (name: string, n: number): void => {
    log.push(`${name}${n}`);
    most = Math.max(most, running);
  };
  const accepted = new EventQueue<ChannelEnd>(here.runtime, 'clients');
  const handlers = () => ({
    quick: ({ n }: { readonly n: number }) => begin('quick', n),
    slow: async ({ n }: { readonly n: number }) => {
      running += 1;
      begin('slow', n);
      await here.runtime.threads.sleep(10);
      running -= 1;
      return {};
    },
    stop: () => here.runtime.end(0),
  });
  const offered = { accepted, withdraw: () => Promise.resolve() };
  const offering = new ServiceEnd(here.runtime, {
    name: 'work',
    spoken: Work,
    offered,
    handlers,
    options: { concurrency, onConnect },
    report: (text) => void log.push(text),
  });
  accepted.push(serving);
  const client = makeClient(there.runtime, asking, Work);
  const sent = async (): Promise<readonly Uint8Array[]> =>
    (await there.turn()).flatMap(([, name, args]) => (name === 'channel_send' ? [args[1] as Uint8Array] : []));
  const arrive = (batches: readonly Uint8Array[]): void => {
    for (const batch of batches) serving.arrived(batch, []);
  };
  const carry = async (): Promise<void> => arrive(await sent());
  return { here, client, sent, arrive, carry, log, offering, most: () => most };
}

test.each([1, 2, 3])(
  'requests of a kind begin in the order in which they were sent, at most %i at once, whatever is served as it comes',
  async (concurrency) => {
    const { here, client, carry, log, most } = service(concurrency);
    await here.turn();
    const prng = createPrng(`serving ${concurrency}`);
    const sent: string[] = [];
    for (let n = 0; n < 200; n += 1) {
      const name = prng.nextInt(10) < 6 ? 'quick' : 'slow';
      sent.push(`${name}${n}`);
      void client[name]({ n });
      if (prng.nextInt(10) < 4) await carry();
      if (prng.nextInt(10) < 3) await here.turn();
      if (prng.nextInt(10) < 1) await here.run(4);
    }
    await carry();
    await here.run();
    // An async handler starts as a thread, in its turn: a handler that runs at once may overtake it unless they run one
    // at a time.
    const kinds = concurrency === 1 ? [''] : ['quick', 'slow'];
    for (const kind of kinds)
      expect(log.filter((entry) => entry.startsWith(kind))).toEqual(sent.filter((entry) => entry.startsWith(kind)));
    expect(most()).toBe(concurrency);
  },
);

test('what comes waits behind a request whose serving thread has not had its step, though a permit is free by then', async () => {
  const { here, client, sent, arrive, carry, log } = service(1);
  await here.turn();
  void client.slow({ n: 1 });
  await carry();
  await here.turn(); // its handler holds the only permit and sleeps until 10
  for (let n = 0; n < 5000; n += 1)
    here.runtime.threads.spawn(`other ${n}`, () => here.runtime.threads.sleep(10)).detach();
  for (let turns = 0; turns < 3; turns += 1) await here.turn(); // all of them sleep: more than one turn has steps for
  void client.quick({ n: 2 });
  const second = await sent();
  void client.quick({ n: 3 });
  const third = await sent();
  here.time = 10;
  // One batch wakes the handler and the others and brings a request: the serving thread is behind them all, and in the next turn.
  here.runtime.resume([]);
  arrive(second);
  await new Promise((resolve) => setImmediate(resolve));
  expect([log, here.more]).toEqual([['slow1'], true]);
  arrive(third);
  await here.run();
  expect(log).toEqual(['slow1', 'quick2', 'quick3']);
});

test('a handler that ends its program is the last of it that runs, also for what came in the same batch', async () => {
  const { here, client, carry, log } = service(4);
  await here.turn();
  void client.quick({ n: 1 });
  void client.stop({});
  void client.quick({ n: 2 });
  await carry();
  await here.run();
  expect(log).toEqual(['quick1']);
});

test('a call whose signal has aborted before rejects with that signal\u2019s reason, whatever it is, and sends nothing', async () => {
  const { client, sent } = service(1);
  for (const reason of [new Error('enough'), 'a text', 7, { code: 7 }]) {
    const signal = AbortSignal.abort(reason);
    for (const call of [client.slow, client.quick])
      expect(await call({ n: 1 }, { signal }).then(nothing, (thrown: unknown) => thrown)).toBe(reason);
  }
  expect(await sent()).toEqual([]);
});

function nothing(): void {
  // A call that resolves fails the test: undefined is no reason.
}

test('whoever is refused as a client learns why: by the name that onConnect threw, or CONNECTION_REFUSED, which the server reports', async () => {
  const throwing = (error: Error) => () => {
    throw error;
  };
  const refusalBy = async (error: Error) => {
    const { here, log } = service(1, throwing(error));
    const closes = (await here.turn()).flatMap(([, name, args]) => (name === 'channel_close' ? [args[1]] : []));
    return [closes, log];
  };
  expect(await refusalBy(new MkError('BUSY', 'come later'))).toEqual([['BUSY'], []]);
  expect(await refusalBy(new TypeError('a bug'))).toEqual([
    ['CONNECTION_REFUSED'],
    [expect.stringContaining('work, a new client: TypeError: a bug')],
  ]);
});

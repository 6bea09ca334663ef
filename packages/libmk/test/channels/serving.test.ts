import { expect, test } from '@jest/globals';
import { ChannelEnd } from '../../src/channels/channel-end.ts';
import { makeClient } from '../../src/channels/client.ts';
import { ServiceEnd } from '../../src/channels/service.ts';
import { defineInterface, message, rpc } from '../../src/interface/interface.ts';
import { u32 } from '../../src/interface/kinds.ts';
import { EventQueue } from '../../src/runtime/event-queue.ts';
import { createPrng } from '@mk/monitor-proto/prng';
import { TestHost } from '../runtime/test-host.ts';

const Work = defineInterface('work', { quick: message({ n: u32 }), slow: rpc({ in: { n: u32 } }), stop: message({}) });

/** A service, and a client on another dispatcher whose batches the test carries over. */
function service(concurrency: number) {
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
  const offering = new ServiceEnd(here.runtime, Work, 'work', offered, handlers, { concurrency }, () => undefined);
  accepted.push(serving);
  const client = makeClient(there.runtime, asking, Work);
  const carry = async (): Promise<void> => {
    const calls = await there.turn();
    for (const [, name, args] of calls) if (name === 'channel_send') serving.arrived(args[1] as Uint8Array, []);
  };
  return { here, client, carry, log, offering, most: () => most };
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
    // An async handler begins as a thread, in its turn: what runs at once may pass it, unless one at a time was asked for.
    const kinds = concurrency === 1 ? [''] : ['quick', 'slow'];
    for (const kind of kinds)
      expect(log.filter((entry) => entry.startsWith(kind))).toEqual(sent.filter((entry) => entry.startsWith(kind)));
    expect(most()).toBe(concurrency);
  },
);

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

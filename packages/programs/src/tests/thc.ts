/** Barrelfish's thc tests: structured concurrency over channels: all of several requests, the first of them, cancelling the rest. */
import { known } from '../common/known.ts';
import { defineInterface, rpc } from '@mk/libmk/interface/interface';
import { u32 } from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { coresOf, errorOf, same } from './expecting.ts';

export const Slow = defineInterface('slow', {
  after: rpc({ in: { microseconds: u32 }, out: { n: u32 } }),
  aborted: rpc({ out: { count: u32 } }),
});

export const main = program({ name: 'thc', interfaces: [Slow] }, async (mk) => {
  if (mk.args[0] === 'server') return server(mk, known(mk.args[1]));
  const cores = coresOf(mk);
  const servers = await Promise.all(
    cores.map((core) => mk.processes.spawn(null, { core, args: ['server', `slow-${core}`] })),
  );
  const clients = await Promise.all(cores.map((core) => mk.bind(`slow-${core}`, Slow, { timeoutNs: 20e9 })));

  // All of them, begun at once, finished when the last has.
  const begun = mk.now();
  const all = await Promise.all(clients.map((client, i) => client.after({ microseconds: 20_000 + i })));
  same(
    mk,
    all.map(({ n }) => n),
    clients.map((_, i) => 20_000 + i),
    'answers',
  );
  mk.assert(mk.now() - begun < clients.length * 20e6 + 60e9, 'side by side');

  // The first of them; the others are cancelled, and their servers hear it.
  const cancel = mk.cancellation();
  const racing = clients.map((client, i) =>
    client.after({ microseconds: i === 0 ? 1_000 : 60_000_000 }, { signal: cancel.signal }),
  );
  same(mk, (await Promise.race(racing)).n, 1_000, 'the first');
  cancel.cancel();
  for (const [i, waiting] of racing.entries())
    if (i > 0) same(mk, await errorOf(mk, waiting), 'CANCELLED', `request ${i}`);
  for (const [i, client] of clients.entries()) {
    if (i === 0) continue;
    while ((await client.aborted({})).count === 0) await mk.sleep(1e6);
  }

  // A deadline.
  same(
    mk,
    await errorOf(mk, known(clients[0]).after({ microseconds: 60_000_000 }, { timeoutNs: 2e6 })),
    'DEADLINE_EXCEEDED',
    'too late',
  );
  same(mk, (await known(clients[0]).after({ microseconds: 5 })).n, 5, 'the channel goes on');

  // A dead server is an error for what waits, never silence.
  const hopeless = clients.map((client) => errorOf(mk, client.after({ microseconds: 60_000_000 })));
  await mk.yield();
  for (const server_ of servers) await server_.kill();
  same(
    mk,
    await Promise.all(hopeless),
    cores.map(() => 'DISPATCHER_GONE'),
    'what waited',
  );
  for (const server_ of servers) await server_.wait();
  return 0;
});

async function server(mk: Mk, name: string): Promise<number> {
  let count = 0;
  await mk.export(name, Slow, {
    async after({ microseconds }, { signal }) {
      try {
        await mk.sleep(1_000 * microseconds, { signal });
      } catch (error) {
        count += 1;
        throw error;
      }
      return { n: microseconds };
    },
    aborted: () => ({ count }),
  });
  await mk.sleep(1e15);
  return 0;
}

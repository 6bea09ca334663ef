/**
 * Barrelfish's multihop test: payloads, strings, buffers and capabilities over cores between. The first argument lists the cores
 * of the way, the server's last: with five of them three relay.
 */
import { known } from '../common/known.ts';
import { defineInterface, event, message, rpc } from '@mk/libmk/interface/interface';
import { bytes, cap, text, u32 } from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';
import { coresOf, errorOf, same } from './expecting.ts';

export const Echo = defineInterface('echo', {
  echo: rpc({ in: { data: bytes(60_000), note: text(200) }, out: { data: bytes(60_000), note: text(200) } }),
  count: message({ n: u32 }),
  counted: rpc({ out: { count: u32, inOrder: u32 } }),
  keep: rpc({ in: { frame: cap }, out: { size: u32 } }),
  news: event({ n: u32 }),
});

export const main = program({ name: 'multihop', interfaces: [Echo] }, async (mk) => {
  const way = coresOf(mk);
  if (mk.args[1] === 'server') return server(mk);
  const [self, ...rest] = way;
  mk.assert(self === mk.self.core, `to be started on core ${self}`);
  const target = known(rest.at(-1));
  const helper = await mk.processes.spawn(null, { core: target, args: [known(mk.args[0]), 'server'] });
  await mk.names.wait('multihop', { timeoutNs: 20e9 });
  const via = rest.slice(0, -1);
  const echo = await mk.bind('multihop', Echo, { via, windowBytes: 64 << 10 });
  same(mk, echo.$channel.transport, 'multihop', 'the way');
  for (const size of [0, 1, 1_000, 60_000]) {
    const data = Uint8Array.from({ length: size }, (_, i) => (i * 7) % 256);
    const back = await echo.echo({ data, note: `${size} bytes – ø` });
    mk.assert(back.data.length === size && back.data.every((byte, i) => byte === data[i]), `${size} bytes come back`);
    same(mk, back.note, `${size} bytes – ø`, 'the note');
  }
  // Far more than the window: the sender waits for credit, and nothing is lost or out of order.
  for (let n = 0; n < 3_000; n += 1) await echo.count({ n });
  same(mk, await echo.counted({}), { count: 3_000, inOrder: 3_000 }, 'messages over relays');
  const ram = await mk.capabilities.alloc(4096);
  same(mk, await echo.keep({ frame: ram }), { size: 4096 }, 'a capability over relays');
  let news = 0;
  for (; news < 100; news += 1) same(mk, (await echo.$events.receive()).value, { n: news }, 'events the other way');
  echo.$close();
  same(mk, (await helper.wait()).status, 0, 'the server');
  same(mk, await errorOf(mk, mk.bind('multihop', Echo, { now: true })), 'NO_SUCH_SERVICE', 'the name is gone');
  return 0;
});

async function server(mk: Mk): Promise<number> {
  const over = mk.threads.events<string>('the end of the client');
  let [count, inOrder] = [0, 0];
  const service = await mk.export(
    'multihop',
    Echo,
    {
      echo: (input) => input,
      count: ({ n }) => {
        if (n === count) inOrder += 1;
        count += 1;
      },
      counted: () => ({ count, inOrder }),
      keep: async ({ frame }, { connection }) => {
        const { bytes: size } = await mk.capabilities.identify(frame);
        for (let n = 0; n < 100; n += 1) await connection.emit.news({ n });
        return { size };
      },
    },
    { onClose: (_connection, error) => over.push(error.name), concurrency: 1 },
  );
  same(mk, await over.receive(), 'CHANNEL_CLOSED', 'how the client left');
  await service.close();
  return 0;
}

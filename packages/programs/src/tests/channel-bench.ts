/** Run by benchmarks/channels.ts: its exit status is nanoseconds per call or message. Arguments: part, count. */
import { defineInterface, message, rpc } from '@mk/libmk/interface/interface';
import { bytes, u32 } from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { program } from '@mk/libmk/program/program';

const Bench = defineInterface('bench', {
  nothing: rpc({}),
  item: message({ data: bytes(64) }),
  taken: rpc({ out: { count: u32 } }),
});

export const main = program({ name: 'channel-bench', interfaces: [Bench] }, async (mk) => {
  const [part = '', count = '1000'] = mk.args;
  const rounds = Number(count);
  if (part === 'server') return server(mk);
  if (part === 'call') return timed(mk, rounds, () => mk.nop());
  const peer = await mk.processes.spawn(null, { core: part === 'local' ? mk.self.core : 1, args: ['server'] });
  const bench = await mk.bind('channel-bench', Bench, { timeoutNs: 30e9, windowBytes: 1 << 20 });
  await bench.nothing({});
  let ns: number;
  if (part === 'stream') {
    const data = new Uint8Array(52);
    const send = async (): Promise<number> => {
      const begun = mk.now();
      for (let n = 0; n < rounds; n += 1) await bench.item({ data });
      const { count: taken } = await bench.taken({});
      mk.assert(taken % rounds === 0, `${taken} messages of ${rounds}`);
      return (mk.now() - begun) / rounds;
    };
    await send();
    ns = await send();
  } else ns = await timed(mk, rounds, () => bench.nothing({}));
  bench.$close();
  await peer.wait();
  return Math.round(ns);
});

/** Calls before the first that is timed: by then both ends are compiled. */
const WARM_UP = 4000;

/** Median time of a call, nanoseconds, comparable with benchmarks/baseline/echo.mjs. */
async function timed(mk: Mk, rounds: number, once: () => Promise<unknown>): Promise<number> {
  for (let n = 0; n < WARM_UP; n += 1) await once();
  const samples: number[] = [];
  for (let n = 0; n < rounds; n += 1) {
    const begun = mk.now();
    await once();
    samples.push(mk.now() - begun);
  }
  return samples.sort((a, b) => a - b)[rounds >> 1] ?? 0;
}

async function server(mk: Mk): Promise<number> {
  const over = mk.threads.events<string>('the end of the client');
  let count = 0;
  const service = await mk.export(
    'channel-bench',
    Bench,
    { nothing: () => ({}), item: () => void (count += 1), taken: () => ({ count }) },
    { onClose: (_connection, error) => over.push(error.name) },
  );
  await over.receive();
  await service.close();
  return 0;
}

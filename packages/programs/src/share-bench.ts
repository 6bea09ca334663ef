/**
 * Shared memory against messages (the paper's Fig. 3): each of n cores updates words of one shared frame, or sends each update
 * to one server core. `--rounds N` updates a core; `--lines N` words, a cache line apart.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { defineInterface, rpc } from '@mk/libmk/interface/interface';
import { u32 } from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { coresOf, onlyOptions, tell, whole, tool } from './common/arguments.ts';

const Counter = defineInterface('counter', { update: rpc({ in: { lines: u32 }, out: { n: u32 } }) });
const LINE_BYTES = 64;

interface Work {
  readonly address: number;
  readonly rounds: number;
  readonly lines: number;
  readonly server: string;
}

/** Mean time of an update of all lines, by loads and stores. */
async function share(mk: Mk, { address, rounds, lines }: Work): Promise<number> {
  const begun = mk.now();
  for (let round = 0; round < rounds; round += 1) {
    for (let line = 0; line < lines; line += 1) {
      const at = address + line * LINE_BYTES;
      await mk.memory.store32(at, (await mk.memory.load32(at)) + 1);
    }
    mk.work(100 * lines);
    await mk.yield();
  }
  return (mk.now() - begun) / rounds;
}

/** The same by messages to the core that owns the lines. */
async function send(mk: Mk, { server, rounds, lines }: Work): Promise<number> {
  const client = await mk.bind(server, Counter);
  const begun = mk.now();
  for (let round = 0; round < rounds; round += 1) await client.update({ lines });
  return (mk.now() - begun) / rounds;
}

export const main = tool({ name: 'share-bench', interfaces: [Counter], threads: { share, send } }, async (mk) => {
  const cores = coresOf(mk);
  onlyOptions(mk, ['rounds', 'lines', 'json']);
  const rounds = whole(mk, 'rounds', 50, 1, 1_000_000);
  const lines = whole(mk, 'lines', 1, 1, PAGE_BYTES / LINE_BYTES);
  const others = cores.filter((core) => core !== mk.self.core);
  await Promise.all(others.map((core) => mk.span(core)));
  const server = `counter.${mk.self.domain}`;
  let updates = 0;
  await mk.export(server, Counter, { update: ({ lines: n }) => ({ n: (updates += n) }) });
  const rows: Awaited<ReturnType<typeof compared>>[] = [];
  for (
    let count = 1;
    count <= others.length;
    count = count < others.length ? Math.min(2 * count, others.length) : count + 1
  )
    rows.push(await compared(mk, others.slice(0, count), { rounds, lines, server, address: 0 }));
  const line = ({ cores: count, shared_ns: shared, messages_ns: messages }: (typeof rows)[number]): string =>
    `${String(count).padStart(5)} cores: shared ${(shared / 1000).toFixed(1)} us, messages ${(messages / 1000).toFixed(1)} us an update of ${lines} lines`;
  tell(mk, rows.map(line), rows);
});

async function compared(mk: Mk, cores: readonly number[], work: Work) {
  const region = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES));
  const timed = async (entry: 'share' | 'send'): Promise<number> => {
    const given = { ...work, address: region.address };
    const times = await Promise.all(cores.map((core) => mk.spawnOn<typeof share>(core, entry, given).join()));
    return times.reduce((sum, time) => sum + time, 0) / times.length;
  };
  const shared = await timed('share');
  const messages = await timed('send');
  await mk.memory.unmap(region);
  return { cores: cores.length, lines: work.lines, shared_ns: shared, messages_ns: messages };
}

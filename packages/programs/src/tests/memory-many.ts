/**
 * A page that many cores read and then one writes, over and over: each reader must see the last write. A core that is
 * gone reads nothing more; the others go on.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { program } from '@mk/libmk/program/program';

const ROUNDS = 4;

export const main = program(
  {
    name: 'memory-many',
    threads: {
      read: async (mk, address: number) => await mk.memory.load32(address),
      write: async (mk, { address, value }: { readonly address: number; readonly value: number }) =>
        await mk.memory.store32(address, value),
    },
  },
  async (mk) => {
    const cores = (mk.args[0] ?? '').split(',').map(Number);
    await Promise.all(cores.filter((core) => core !== mk.self.core).map((core) => mk.span(core)));
    const { address } = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES));
    const reads: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      await mk.spawnOn(1, 'write', { address, value: round }).join();
      const ended = await Promise.allSettled(cores.map((core) => mk.spawnOn(core, 'read', address).join()));
      const values = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      if (values.some((value) => value !== round)) throw mk.error('ASSERTION_FAILED', `${values.join()} in ${round}`);
      reads.push(values.length);
    }
    mk.console.log(reads.join());
  },
);

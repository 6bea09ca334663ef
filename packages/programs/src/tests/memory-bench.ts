/**
 * What a page costs that is elsewhere: the median time of an access on core 1, by where the page is. `memory-bench PART ROUNDS [PAUSE_NS]`,
 * with a pause before each; the exit value is nanoseconds. `clean`: the home has it; `dirty`: core 2 has written it; `upgrade`: core 1 reads it already, as the others do.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { program } from '@mk/libmk/program/program';
import type { Mk } from '@mk/libmk/program/mk';

interface Timed {
  readonly address: number;
  readonly kind: 'read' | 'write';
}

export const main = program(
  {
    name: 'memory-bench',
    threads: {
      time: async (mk, { address, kind }: Timed) => {
        const begun = mk.now();
        if (kind === 'read') await mk.memory.load32(address);
        else await mk.memory.store32(address, 1);
        return mk.now() - begun;
      },
      touch: async (mk, { address, kind }: Timed) => {
        if (kind === 'read') await mk.memory.load32(address);
        else await mk.memory.store32(address, 2);
      },
    },
  },
  async (mk) => {
    const [part = 'clean', rounds = '100', pauseNs = '0'] = mk.args;
    const cores = [1, 2, 3];
    await Promise.all(cores.map((core) => mk.span(core)));
    const { address } = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES));
    const samples: number[] = [];
    for (let round = 0; round < Number(rounds); round += 1) {
      await mk.sleep(Number(pauseNs));
      samples.push(await sample(mk, part, address));
    }
    samples.sort((a, b) => a - b);
    return Math.round(samples[samples.length >> 1] ?? 0);
  },
);

async function sample(mk: Mk, part: string, address: number): Promise<number> {
  await mk.memory.store32(address, 0);
  const touch = (core: number, kind: Timed['kind']) => mk.spawnOn(core, 'touch', { address, kind }).join();
  if (part === 'dirty') await touch(2, 'write');
  if (part === 'upgrade') for (const core of [1, 2, 3]) await touch(core, 'read');
  const kind = part === 'upgrade' ? 'write' : 'read';
  return Number(await mk.spawnOn(1, 'time', { address, kind }).join());
}

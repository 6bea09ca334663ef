/**
 * One frame in the address space of a domain that spans all cores: written on the last, read on each, unmapped. When unmap has
 * returned, a read and a write fault on each. Cores that are lost are named; the status is then 3.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { coresOf, tell, tool } from './common/arguments.ts';
import { isByFault, type Loss, tellLosses } from './common/losses.ts';

interface Write {
  readonly address: number;
  readonly value: number;
}

export const main = tool(
  {
    name: 'shared-frame',
    threads: {
      write: (mk, { address, value }: Write) => outcomeOf(async () => await mk.memory.store32(address, value)),
      read: (mk, address: number) => outcomeOf(async () => await mk.memory.load32(address)),
    },
  },
  async (mk) => {
    const all = coresOf(mk);
    const lost = new Map<number, Loss>();
    const onEach = async <T>(run: (core: number) => Promise<T>): Promise<ReadonlyMap<number, T>> => {
      const outcomes = new Map<number, T>();
      const tried = all
        .filter((core) => !lost.has(core))
        .map(async (core) => {
          try {
            outcomes.set(core, await run(core));
          } catch (error) {
            if (!isByFault(error)) throw error;
            lost.set(core, { core, why: error.message });
          }
        });
      await Promise.all(tried);
      return outcomes;
    };
    const withOutcome = async (expected: unknown, run: (core: number) => Promise<unknown>) => {
      const outcomes = await onEach(run);
      return all.filter((core) => outcomes.get(core) === expected);
    };
    await onEach((core) => (core === mk.self.core ? Promise.resolve() : mk.span(core)));
    const cores = all.filter((core) => !lost.has(core));
    const region = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES));
    const { address } = region;
    const writer = cores.at(-1) ?? mk.self.core;
    const value = 1 + mk.randomInt(1_000_000);
    await mk.spawnOn(writer, 'write', { address, value }).join();
    const read = await withOutcome(value, (core) => mk.spawnOn(core, 'read', address).join());
    await mk.memory.unmap(region);
    const readFaults = await withOutcome('PAGE_FAULT', (core) => mk.spawnOn(core, 'read', address).join());
    const write = { address, value: value + 1 };
    const writeFaults = await withOutcome('PAGE_FAULT', (core) => mk.spawnOn(core, 'write', write).join());
    const faults = readFaults.filter((core) => writeFaults.includes(core));
    const lines = [
      `core ${writer} wrote ${value}, which ${read.length} of ${cores.length} cores read`,
      `unmapped: reading and writing fault on ${faults.length} of ${cores.length} cores`,
    ];
    tellLosses(mk, [...lost.values()]);
    tell(mk, lines, { cores, writer, value, read, faults, lost: [...lost.values()] });
    const wrong = all.filter((core) => !lost.has(core) && !(read.includes(core) && faults.includes(core)));
    if (wrong.length > 0) return EXIT_STATUS.failed;
    return lost.size === 0 ? EXIT_STATUS.done : EXIT_STATUS.lost;
  },
);

/** An access's result: its value, or PAGE_FAULT. Throws every other error. */
async function outcomeOf<T>(access: () => Promise<T>): Promise<T | 'PAGE_FAULT'> {
  try {
    return await access();
  } catch (error) {
    if (isMkError(error, 'PAGE_FAULT')) return 'PAGE_FAULT';
    throw error;
  }
}

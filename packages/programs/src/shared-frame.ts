/**
 * One frame in the address space of a domain that spans all cores: written on the last, read on each, unmapped. When unmap has
 * returned, a read and a write fault on each.
 */
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { program } from '@mk/libmk/program/program';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { coresOf, tell } from './common/arguments.ts';

interface Write {
  readonly address: number;
  readonly value: number;
}

export const main = program(
  {
    name: 'shared-frame',
    threads: {
      write: (mk, { address, value }: Write) => outcomeOf(async () => await mk.memory.store32(address, value)),
      read: (mk, address: number) => outcomeOf(async () => await mk.memory.load32(address)),
    },
  },
  async (mk) => {
    const cores = coresOf(mk);
    await Promise.all(cores.filter((core) => core !== mk.self.core).map((core) => mk.span(core)));
    const region = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES));
    const { address } = region;
    const writer = cores.at(-1) ?? mk.self.core;
    const value = 1 + mk.randomInt(1_000_000);
    await mk.spawnOn(writer, 'write', { address, value }).join();
    const read = await onEach(cores, (core) => mk.spawnOn(core, 'read', address).join(), value);
    await mk.memory.unmap(region);
    const readFaults = await onEach(cores, (core) => mk.spawnOn(core, 'read', address).join(), 'PAGE_FAULT');
    const write = { address, value: value + 1 };
    const writeFaults = await onEach(cores, (core) => mk.spawnOn(core, 'write', write).join(), 'PAGE_FAULT');
    const faults = readFaults.filter((core) => writeFaults.includes(core));
    const lines = [
      `core ${writer} wrote ${value}, which ${read.length} of ${cores.length} cores read`,
      `unmapped: reading and writing fault on ${faults.length} of ${cores.length} cores`,
    ];
    tell(mk, lines, { cores, writer, value, read, faults });
    return read.length === cores.length && faults.length === cores.length ? 0 : 1;
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

/** The cores on which something has the expected result; all run it at once. */
async function onEach(
  cores: readonly number[],
  run: (core: number) => Promise<unknown>,
  expected: number | 'PAGE_FAULT',
): Promise<readonly number[]> {
  const outcomes = await Promise.all(cores.map(run));
  return cores.filter((_, n) => outcomes[n] === expected);
}

/**
 * Two operations of one domain that meet, at every offset of a sweep: whichever comes first, what has returned holds.
 * The first argument lists the cores, the second names the race. Prints how often each side won: in a sweep that one
 * side always wins the two never met.
 */
import { isKeyOf } from '@mk/monitor-proto/tables';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { program } from '@mk/libmk/program/program';
import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { coresOf, same } from './expecting.ts';

interface Write {
  readonly address: number;
  readonly value: number;
}

const RACES = {
  'unmap against fault': unmapAgainstFault,
  'revoke against write': revokeAgainstWrite,
  'span against unmap': spanAgainstUnmap,
};

export const main = program(
  {
    name: 'memory-races',
    threads: {
      read: (mk, address: number) => outcomeOf(async () => await mk.memory.load32(address)),
      write: (mk, { address, value }: Write) =>
        outcomeOf(async () => {
          await mk.memory.store32(address, value);
          return 0;
        }),
    },
  },
  async (mk) => {
    const [, race = ''] = mk.args;
    if (!isKeyOf(RACES, race)) throw new Error(`no race ${race}`);
    const { won, lost } = await RACES[race](
      mk,
      coresOf(mk).filter((core) => core !== mk.self.core),
    );
    mk.console.log(JSON.stringify({ won, lost }));
  },
);

interface Tally {
  won: number;
  lost: number;
}

async function outcomeOf(access: () => Promise<number>): Promise<number | string> {
  try {
    return await access();
  } catch (error) {
    if (isMkError(error)) return error.name;
    throw error;
  }
}

/** A core faults for a page while it is unmapped: it reads the page or PAGE_FAULT, and nothing after unmap has returned. */
async function unmapAgainstFault(mk: Mk, others: readonly number[]): Promise<Tally> {
  const { memory } = mk;
  const tally = { won: 0, lost: 0 };
  const [reader = 1] = others;
  await mk.span(reader);
  const frame = await memory.allocFrame(PAGE_BYTES);
  for (let offset = 0; offset <= 40_000; offset += 1000) {
    const region = await memory.map(frame);
    await memory.store32(region.address, 1);
    const reading = mk.spawnOn(reader, 'read', region.address);
    await mk.sleep(offset);
    await memory.unmap(region);
    const again = await memory.map(frame);
    await memory.store32(again.address, 2);
    const read = await reading.join();
    mk.assert(read === 1 || read === 'PAGE_FAULT', `read ${String(read)} while the page was unmapped`);
    tally[read === 1 ? 'won' : 'lost'] += 1;
    same(mk, await mk.spawnOn(reader, 'read', region.address).join(), 'PAGE_FAULT', 'a read after unmap');
    await memory.unmap(again);
  }
  return tally;
}

/** A core writes a frame while its parent is revoked: none of it may reach the next object in that memory. */
async function revokeAgainstWrite(mk: Mk, others: readonly number[]): Promise<Tally> {
  const { memory, capabilities } = mk;
  const tally = { won: 0, lost: 0 };
  const [writer = 1] = others;
  await mk.span(writer);
  const ram = await capabilities.alloc(PAGE_BYTES);
  for (let offset = 0; offset <= 40_000; offset += 1000) {
    const [frame = 0] = await capabilities.retype(ram, 'Frame', { bytes: PAGE_BYTES });
    const { address } = await memory.map(frame);
    const writing = mk.spawnOn(writer, 'write', { address, value: 7 });
    await mk.sleep(offset);
    await capabilities.revoke(ram);
    const [next = 0] = await capabilities.retype(ram, 'Frame', { bytes: PAGE_BYTES });
    const fresh = await memory.map(next);
    same(mk, await memory.load32(fresh.address), 0, 'the next object of the memory');
    const wrote = await writing.join();
    mk.assert(wrote === 0 || wrote === 'PAGE_FAULT', `the write came to ${String(wrote)}`);
    tally[wrote === 0 ? 'won' : 'lost'] += 1;
    same(mk, await memory.load32(fresh.address), 0, 'after the write');
    await memory.unmap(fresh);
    await capabilities.revoke(ram);
  }
  return tally;
}

/**
 * The domain spans a core, which reads at once, while the page is unmapped: no earlier translation reaches the new
 * dispatcher.
 */
async function spanAgainstUnmap(mk: Mk, others: readonly number[]): Promise<Tally> {
  const { memory } = mk;
  const tally = { won: 0, lost: 0 };
  const frame = await memory.allocFrame(PAGE_BYTES);
  for (const [i, core] of others.entries()) {
    const region = await memory.map(frame);
    await memory.store32(region.address, 1);
    const spanning = mk.span(core).then(() => mk.spawnOn(core, 'read', region.address).join());
    await mk.sleep(940_000 + 12_000 * i);
    await memory.unmap(region);
    const again = await memory.map(frame);
    await memory.store32(again.address, 2);
    const read = await spanning;
    mk.assert(read === 1 || read === 'PAGE_FAULT', `read ${String(read)} while the page was unmapped`);
    tally[read === 1 ? 'won' : 'lost'] += 1;
    same(mk, await mk.spawnOn(core, 'read', region.address).join(), 'PAGE_FAULT', 'a read after unmap');
    await memory.unmap(again);
  }
  return tally;
}

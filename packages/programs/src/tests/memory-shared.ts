/**
 * A domain over many cores shares its address space: a coherent frame is read and written everywhere, atomics add up, and when
 * unmap has returned a reader that spins on every core faults. The first argument lists the cores to span, the second picks a
 * part: all of them without it.
 */
import { known } from '../common/known.ts';
import { RIGHTS } from '@mk/libmk/capabilities/capabilities';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { Region } from '@mk/libmk/memory/regions';
import { program } from '@mk/libmk/program/program';
import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { coresOf, errorOf, same } from './expecting.ts';

interface Turn {
  readonly address: number;
  readonly rounds: number;
}

/**
 * Reads as fast as it can until that faults; returns its last value and when. `2` was written after unmap had returned.
 */
async function spin(mk: Mk, address: number): Promise<readonly [last: number, at: number]> {
  let last = 0;
  let at = 0;
  for (;;) {
    try {
      last = await mk.memory.load32(address);
      at = mk.now();
    } catch (error) {
      if (isMkError(error, 'PAGE_FAULT')) return [last, at];
      throw error;
    }
    mk.work(hasOneClock(mk) ? 1000 : 20_000); // in the simulator, so that a turn takes time
    await mk.yield();
  }
}

export const main = program(
  {
    name: 'memory-shared',
    threads: {
      /** Adds to a word at its home and to one of its own page, so many times. */
      count: async (mk, { address, rounds }: Turn) => {
        const own = address + PAGE_BYTES + 8 * mk.self.core;
        for (let i = 0; i < rounds; i += 1) {
          await mk.memory.fetchAdd(address, 1n);
          await mk.memory.store32(own, (await mk.memory.load32(own)) + 1);
        }
        return await mk.memory.load32(own);
      },
      read: async (mk, address: number) => await mk.memory.load32(address),
      add: async (mk, address: number) => String(await mk.memory.fetchAdd(address, 1n)),
      reserve: (mk, bytes: number) => mk.memory.reserve(bytes).address,
      spin,
      /** Writes a word of its own on a page that all write, as fast as it can. */
      contend: async (mk, { address, rounds }: Turn) => {
        for (let i = 1; i <= rounds; i += 1) {
          await mk.memory.store32(address + 8 * mk.self.core, i);
          if (hasOneClock(mk)) mk.work(300_000); // its answer is kept for it until the turn ends
        }
      },
      /** Writes its number until that faults. */
      scribble: async (mk, address: number) => {
        for (let i = 0; ; i += 1) {
          try {
            await mk.memory.store32(address, 100);
          } catch (error) {
            if (isMkError(error, 'PAGE_FAULT')) return i;
            throw error;
          }
          mk.work(20_000); // in the simulator, so that a turn takes time
          await mk.yield();
        }
      },
      write: async (mk, { address, rounds }: Turn) => {
        await mk.memory.store32(address, rounds);
      },
      unmap: async (mk, region: Region) => {
        await mk.memory.unmap(region);
      },
    },
  },
  async (mk) => {
    const others = coresOf(mk).filter((core) => core !== mk.self.core);
    await Promise.all(others.map((core) => mk.span(core)));
    const part = mk.args[1] ?? 'all';
    const parts = {
      shared,
      contended,
      spinning,
      protecting,
      revoking,
      fromAfar,
      demandFromAfar,
      demandAtOnce,
      privately,
    };
    for (const [name, run] of Object.entries(parts)) if (part === 'all' || part === name) await run(mk, others);
  },
);

async function shared(mk: Mk, others: readonly number[]): Promise<void> {
  const { address } = await mk.memory.map(await mk.memory.allocFrame(2 * PAGE_BYTES));
  const rounds = 5;
  const counts = await Promise.all(others.map((core) => mk.spawnOn(core, 'count', { address, rounds }).join()));
  same(
    mk,
    counts,
    others.map(() => rounds),
    'a word of its own, on a page that all write',
  );
  same(mk, String(await mk.memory.load64(address)), String(rounds * others.length), 'atomics add up');
  for (const core of [...others, mk.self.core]) {
    await mk.spawnOn(core, 'write', { address, rounds: 1000 + core }).join();
    for (const reader of others)
      same(mk, await mk.spawnOn(reader, 'read', address).join(), 1000 + core, 'the last write');
  }
}

/** Every core gets the page again and again, and nobody waits for ever (M4). */
async function contended(mk: Mk, others: readonly number[]): Promise<void> {
  const region = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES));
  const { address } = region;
  await Promise.all(others.map((core) => mk.spawnOn(core, 'contend', { address, rounds: 40 }).join()));
  for (const core of others) same(mk, await mk.memory.load32(address + 8 * core), 40, `what core ${core} wrote last`);
  await mk.memory.unmap(region);
}

/** Whether times of different cores are comparable: the third argument says so, in the simulator. */
function hasOneClock(mk: Mk): boolean {
  return mk.args[2] === 'one-clock';
}

/** After unmap has returned the frame is written at another address: nobody may see that through the old one. */
async function spinning(mk: Mk, others: readonly number[]): Promise<void> {
  const frame = await mk.memory.allocFrame(PAGE_BYTES);
  const region = await mk.memory.map(frame);
  await mk.memory.store32(region.address, 1);
  const readers = others.map((core) => mk.spawnOn<typeof spin>(core, 'spin', region.address));
  await mk.sleep(2e6);
  await mk.memory.unmap(region);
  const returned = mk.now();
  for (const core of others)
    same(
      mk,
      await errorOf(mk, mk.spawnOn(core, 'read', region.address).join()),
      'PAGE_FAULT',
      `core ${core} after unmap`,
    );
  const again = await mk.memory.map(frame);
  await mk.memory.store32(again.address, 2);
  for (const reader of readers) {
    const [last, at] = await reader.join();
    mk.assert(last < 2, 'a reader saw what was written after unmap');
    if (hasOneClock(mk)) mk.assert(at <= returned, `a reader read at ${at}, and unmap had returned at ${returned}`);
  }
  same(mk, await mk.memory.load32(again.address), 2, 'the memory itself');
}

/** For writers: none of their writes gets through. */
async function protecting(mk: Mk, others: readonly number[]): Promise<void> {
  const region = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES));
  const writers = others.map((core) => mk.spawnOn(core, 'scribble', region.address));
  await mk.sleep(2e6);
  await mk.memory.protect(region, RIGHTS.read);
  const seen = await mk.memory.load32(region.address);
  await mk.sleep(5e6);
  same(mk, await mk.memory.load32(region.address), seen, 'a page that nobody may write');
  for (const writer of writers) await writer.join();
  for (const core of others) same(mk, await mk.spawnOn(core, 'read', region.address).join(), seen, 'still to be read');
  await mk.memory.unmap(region);
}

async function revoking(mk: Mk, others: readonly number[]): Promise<void> {
  const ram = await mk.capabilities.alloc(PAGE_BYTES);
  const [frame] = await mk.capabilities.retype(ram, 'Frame', { bytes: PAGE_BYTES });
  const { address } = await mk.memory.map(known(frame));
  await mk.memory.store32(address, 1);
  const readers = others.map((core) => mk.spawnOn<typeof spin>(core, 'spin', address));
  await mk.sleep(2e6);
  await mk.capabilities.revoke(ram);
  const [again] = await mk.capabilities.retype(ram, 'Frame', { bytes: PAGE_BYTES });
  const fresh = await mk.memory.map(known(again));
  same(mk, await mk.memory.load32(fresh.address), 0, 'another object in the same memory');
  await mk.memory.store32(fresh.address, 2);
  for (const reader of readers) {
    const [last] = await reader.join();
    mk.assert(last < 2, 'a reader saw the new object');
  }
  await mk.memory.unmap(fresh);
}

async function fromAfar(mk: Mk, others: readonly number[]): Promise<void> {
  const region = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES));
  await mk.memory.store32(region.address, 1);
  const [first = mk.self.core] = others;
  if (first === mk.self.core) return;
  await mk.spawnOn(first, 'unmap', { address: region.address, bytes: region.bytes }).join();
  for (const core of [mk.self.core, ...others])
    same(mk, await errorOf(mk, mk.spawnOn(core, 'read', region.address).join()), 'PAGE_FAULT', 'unmapped from afar');
}

/** One page that does not exist yet, touched by all cores at the same time: by stores, and by atomics. */
async function demandAtOnce(mk: Mk, others: readonly number[]): Promise<void> {
  const heap = mk.memory.reserve(2 * PAGE_BYTES);
  const { address } = heap;
  const sum = address + PAGE_BYTES;
  const touch = (core: number) => [
    mk.spawnOn(core, 'write', { address: address + 4 * core, rounds: 1 + core }).join(),
    mk.spawnOn(core, 'add', sum).join(),
  ];
  await Promise.all(others.flatMap(touch));
  for (const core of others) same(mk, await mk.memory.load32(address + 4 * core), 1 + core, 'what each core wrote');
  same(mk, String(await mk.memory.load64(sum)), String(others.length), 'atomics on a page that came on demand');
  const guard = mk.memory.reserve(PAGE_BYTES, { guard: true });
  for (const core of others) {
    const refused = await mk
      .spawnOn(core, 'read', guard.address)
      .join()
      .catch((error: unknown) => String(error));
    mk.assert(/^PAGE_FAULT: .*\(a guard page\)$/.test(String(refused)), `core ${core}: ${String(refused)}`);
    const elsewhere = await errorOf(mk, mk.spawnOn(core, 'reserve', PAGE_BYTES).join());
    same(mk, elsewhere, 'NOT_AT_HOME', 'addresses given out on another core');
  }
  for (const region of [heap, guard]) await mk.memory.unmap(region);
}

async function demandFromAfar(mk: Mk, others: readonly number[]): Promise<void> {
  const heap = mk.memory.reserve(8 * PAGE_BYTES);
  const touch = (core: number, i: number) =>
    mk.spawnOn(core, 'write', { address: heap.address + PAGE_BYTES * (i % 8), rounds: 7 + (i % 8) }).join();
  await Promise.all(others.map(touch));
  for (const [i] of others.entries())
    same(
      mk,
      await mk.memory.load32(heap.address + PAGE_BYTES * (i % 8)),
      7 + (i % 8),
      'a page that another core touched first',
    );
  await mk.memory.unmap(heap);
}

/** A private range is a copy: it is not invalidated, and others see a write there only once it is published. */
async function privately(mk: Mk, others: readonly number[]): Promise<void> {
  const [other] = others;
  if (other === undefined) return;
  const region = await mk.memory.map(await mk.memory.allocFrame(PAGE_BYTES), { kind: 'private' });
  const { address } = region;
  same(mk, await mk.memory.load32(address), 0, 'as it was');
  await mk.spawnOn(other, 'write', { address, rounds: 5 }).join();
  same(mk, await mk.memory.load32(address), 0, 'as it was, still');
  mk.memory.refresh(region);
  same(mk, await mk.memory.load32(address), 5, 'as it is');
  await mk.memory.store32(address, 6);
  same(mk, await mk.spawnOn(other, 'read', address).join(), 5, 'a write of its own');
  await mk.memory.publish({ address, bytes: 4 });
  same(mk, await mk.spawnOn(other, 'read', address).join(), 6, 'a write that was published');
  await mk.memory.unmap(region);
  same(mk, await errorOf(mk, Promise.resolve(mk.memory.load32(address))), 'PAGE_FAULT', 'the copy after unmap');
}

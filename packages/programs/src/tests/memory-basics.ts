/**
 * One program and its memory: frames mapped, written, read in every width, protected, looked up and unmapped; illegal
 * requests are refused with the reason; demand paging, guard pages, large pages, views and copies.
 */
import { known } from '../common/known.ts';
import { RIGHTS } from '@mk/libmk/capabilities/capabilities';
import { LARGE_PAGE_BYTES } from '@mk/libmk/memory/page-tables';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { program } from '@mk/libmk/program/program';
import type { Mk } from '@mk/libmk/program/mk';
import { errorOf, same } from './expecting.ts';

export const main = program({ name: 'memory-basics' }, async (mk) => {
  await widths(mk);
  await rights(mk);
  await illegal(mk);
  await demand(mk);
  await handlers(mk);
  await large(mk);
  await bulk(mk);
  await atomics(mk);
  await revoked(mk);
  mk.assert(mk.memory.tlb.statistics.misses > 0, 'the first accesses missed');
});

async function widths(mk: Mk): Promise<void> {
  const { memory } = mk;
  const frame = await memory.allocFrame(3 * PAGE_BYTES);
  const region = await memory.map(frame);
  const { address } = region;
  for (let at = 0; at < 3 * PAGE_BYTES; at += PAGE_BYTES)
    same(mk, await memory.load32(address + at), 0, 'fresh memory');
  await memory.store8(address + 1, 0xab);
  await memory.store16(address + 2, 0xcdef);
  await memory.store32(address + 4, 0x01234567);
  await memory.store64(address + 8, 0xfedcba9876543210n);
  same(mk, await memory.load8(address + 1), 0xab, '8 bits');
  same(mk, await memory.load16(address + 2), 0xcdef, '16 bits');
  same(mk, await memory.load32(address + 4), 0x01234567, '32 bits');
  same(mk, String(await memory.load64(address + 8)), String(0xfedcba9876543210n), '64 bits');
  same(
    mk,
    await errorOf(
      mk,
      Promise.resolve().then(() => memory.load32(address + 2)),
    ),
    'MISALIGNED',
    'a crooked load',
  );
  const found = await memory.lookup(address + PAGE_BYTES + 5);
  const identity = await mk.capabilities.identify(frame);
  same(mk, found, { address: identity.address + PAGE_BYTES + 5, rights: 3, pageBytes: PAGE_BYTES }, 'lookup');
  const second = await memory.map(frame, { offset: PAGE_BYTES, bytes: PAGE_BYTES });
  await memory.store32(second.address, 99);
  same(mk, await memory.load32(address + PAGE_BYTES), 99, 'the same page at two addresses');
  await memory.unmap(region);
  same(mk, await errorOf(mk, Promise.resolve(memory.load8(address + 1))), 'PAGE_FAULT', 'a load after unmap');
  same(mk, await errorOf(mk, Promise.resolve(memory.store8(address, 1))), 'PAGE_FAULT', 'a store after unmap');
  same(mk, await memory.lookup(address), null, 'lookup after unmap');
  same(mk, await memory.load32(second.address), 99, 'the other mapping stays');
  await memory.unmap(second);
}

async function rights(mk: Mk): Promise<void> {
  const { memory } = mk;
  const region = await memory.map(await memory.allocFrame(2 * PAGE_BYTES));
  const { address } = region;
  await memory.store32(address, 1);
  await memory.protect(region, RIGHTS.read, { address, bytes: PAGE_BYTES });
  same(mk, await memory.load32(address), 1, 'still to be read');
  same(mk, await errorOf(mk, Promise.resolve(memory.store32(address, 2))), 'PAGE_FAULT', 'a store without the right');
  await memory.store32(address + PAGE_BYTES, 3);
  await memory.protect(region, RIGHTS.read | RIGHTS.write);
  await memory.store32(address, 4);
  same(mk, await memory.load32(address), 4, 'to be written again');
  await memory.unmap(region);
}

async function illegal(mk: Mk): Promise<void> {
  const { memory, capabilities } = mk;
  const frame = await memory.allocFrame(2 * PAGE_BYTES);
  const readOnly = await capabilities.mint(frame, RIGHTS.read | RIGHTS.identify);
  const refusal = (what: Promise<unknown>): Promise<string> => errorOf(mk, what);
  same(mk, await refusal(memory.map(readOnly)), 'RIGHTS_NOT_SUBSET', 'more rights than the frame has');
  same(mk, await refusal(memory.map(frame, { bytes: 3 * PAGE_BYTES })), 'MAP_RANGE', 'more than the frame');
  same(mk, await refusal(memory.map(frame, { offset: 100, bytes: PAGE_BYTES })), 'MAP_OFFSET', 'half a page');
  same(mk, await refusal(memory.map(frame, { at: 4097 })), 'MISALIGNED', 'a crooked address');
  same(
    mk,
    await refusal(memory.map(frame, { pageBytes: LARGE_PAGE_BYTES })),
    'MISALIGNED',
    'a small frame as a large page',
  );
  const ram = await capabilities.alloc(PAGE_BYTES);
  same(mk, await refusal(memory.map(ram)), 'NOT_MAPPABLE', 'RAM is not a frame');
  const region = await memory.map(readOnly, { rights: RIGHTS.read });
  same(mk, await refusal(memory.map(frame, { at: region.address })), 'ENTRY_IN_USE', 'a place that is taken');
  same(
    mk,
    await refusal(memory.protect(region, RIGHTS.read | RIGHTS.write)),
    'RIGHTS_NOT_SUBSET',
    'more than it was mapped by',
  );
  await memory.unmap(region);
}

async function demand(mk: Mk): Promise<void> {
  const { memory } = mk;
  const heap = memory.reserve(16 * PAGE_BYTES);
  const guard = memory.reserve(PAGE_BYTES, { at: heap.address + heap.bytes, guard: true });
  same(mk, await memory.lookup(heap.address), null, 'nothing before the first touch');
  await memory.store32(heap.address + 5 * PAGE_BYTES, 55);
  await Promise.all([
    memory.store8(heap.address, 1),
    memory.store8(heap.address + 1, 2),
    memory.load8(heap.address + 2),
  ]);
  same(mk, await memory.load16(heap.address), 0x0201, 'three threads, one page');
  same(mk, await memory.load32(heap.address + 5 * PAGE_BYTES), 55, 'the page that was touched');
  same(mk, await memory.lookup(heap.address + PAGE_BYTES), null, 'and no other');
  same(mk, await errorOf(mk, Promise.resolve(memory.load8(guard.address))), 'PAGE_FAULT', 'the guard page');
  let asked = 0;
  const own = memory.reserve(PAGE_BYTES, { onFault: () => (asked += 1) > 99 });
  same(mk, await errorOf(mk, Promise.resolve(memory.load8(own.address))), 'PAGE_FAULT', 'a handler that says no');
  same(mk, asked, 1, 'how often it was asked');
  await memory.unmap(heap);
}

/** Handlers: pages from elsewhere, copies on the first write, and one that lies. */
async function handlers(mk: Mk): Promise<void> {
  const { memory } = mk;
  const backing = await memory.allocFrame(4 * PAGE_BYTES);
  const asked: string[] = [];
  const file = memory.reserve(4 * PAGE_BYTES, {
    onFault: async ({ address, access }) => {
      const at = address - (address % PAGE_BYTES);
      asked.push(`${access} ${(at - file.address) / PAGE_BYTES}`);
      await memory.map(backing, { at, offset: at - file.address, bytes: PAGE_BYTES });
      return true;
    },
  });
  await memory.store32(file.address + 2 * PAGE_BYTES, 22);
  same(mk, await memory.load32(file.address + 2 * PAGE_BYTES), 22, 'a page that its handler mapped');
  same(mk, await memory.load32(file.address), 0, 'another one');
  same(mk, asked, ['write 2', 'read 0'], 'what the handler was asked');
  await memory.unmap({ address: file.address + 2 * PAGE_BYTES, bytes: PAGE_BYTES });
  same(mk, await memory.load32(file.address + 2 * PAGE_BYTES), 22, 'unmapped alone, it comes again');
  same(mk, asked.length, 3, 'by its handler');
  const shared = await memory.map(backing, {
    rights: RIGHTS.read,
    onFault: async ({ access }) => {
      if (access !== 'write') return false;
      await memory.protect(shared, RIGHTS.read | RIGHTS.write);
      return true;
    },
  });
  same(mk, await memory.load32(shared.address + 2 * PAGE_BYTES), 22, 'read without a handler');
  await memory.store32(shared.address, 7);
  same(mk, await memory.load32(file.address), 7, 'written once its handler has allowed it');
  const liar = memory.reserve(PAGE_BYTES, { onFault: () => true });
  same(mk, await errorOf(mk, Promise.resolve(memory.load8(liar.address))), 'PAGE_FAULT', 'a handler that maps nothing');
  for (const region of [file, shared, liar]) await memory.unmap(region);
}

async function large(mk: Mk): Promise<void> {
  const { memory } = mk;
  const frame = await memory.allocFrame(LARGE_PAGE_BYTES, { alignment: LARGE_PAGE_BYTES });
  const region = await memory.map(frame, { pageBytes: LARGE_PAGE_BYTES });
  await memory.store64(region.address + LARGE_PAGE_BYTES - 8, 7n);
  same(mk, (await memory.lookup(region.address + 12345))?.pageBytes, LARGE_PAGE_BYTES, 'one entry');
  same(mk, String(await memory.load64(region.address + LARGE_PAGE_BYTES - 8)), '7', 'its last word');
  await memory.unmap(region);
  same(mk, await errorOf(mk, Promise.resolve(memory.load8(region.address))), 'PAGE_FAULT', 'after unmap');
}

async function bulk(mk: Mk): Promise<void> {
  const { memory } = mk;
  const region = await memory.map(await memory.allocFrame(4 * PAGE_BYTES));
  const text = Uint8Array.from({ length: 6000 }, (_, i) => (i * 7) & 255);
  await memory.write(region.address + 100, text);
  await memory.copy(region.address + 8000, region.address + 100, 6000);
  const back = await memory.read(region.address + 8000, 6000);
  mk.assert(
    back.every((byte, i) => byte === text[i]),
    'a bulk copy over page borders',
  );
  const view = await memory.view(region.address, PAGE_BYTES, 'write');
  view[0] = 77;
  same(mk, await memory.load8(region.address), 77, 'what a view wrote');
  await memory.unmap(region);
}

async function atomics(mk: Mk): Promise<void> {
  const { memory } = mk;
  const region = await memory.map(await memory.allocFrame(PAGE_BYTES));
  const { address } = region;
  await memory.store64(address, 40n);
  same(mk, String(await memory.fetchAdd(address, 2n)), '40', 'fetch and add');
  same(mk, String(await memory.compareAndSwap(address, 42n, 7n)), '42', 'compare and swap');
  same(mk, String(await memory.compareAndSwap(address, 42n, 9n)), '7', 'one that finds something else');
  same(mk, String(await memory.swap(address, 1n)), '7', 'swap');
  same(mk, String(await memory.load64(address)), '1', 'what is left');
  same(mk, await errorOf(mk, memory.fetchAdd(address + 4, 1n)), 'MISALIGNED', 'a crooked atomic');
  await memory.unmap(region);
}

async function revoked(mk: Mk): Promise<void> {
  const { memory, capabilities } = mk;
  const ram = await capabilities.alloc(PAGE_BYTES);
  const [frame] = await capabilities.retype(ram, 'Frame', { bytes: PAGE_BYTES });
  const { address } = await memory.map(known(frame));
  await memory.store32(address, 5);
  await capabilities.revoke(ram);
  same(mk, await errorOf(mk, Promise.resolve(memory.load32(address))), 'PAGE_FAULT', 'after the revoke of its parent');
  const [again] = await capabilities.retype(ram, 'Frame', { bytes: PAGE_BYTES });
  const fresh = await memory.map(known(again));
  same(mk, await memory.load32(fresh.address), 0, 'the same memory as another frame');
}

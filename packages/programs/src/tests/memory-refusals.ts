/**
 * What an address space refuses, and that it is whole afterwards: misaligned or outlying ranges, rights and kinds that
 * do not exist, sizes that no core has; rights of pages that come later; atomics and copies at borders.
 */
import { known } from '../common/known.ts';
import { type AllocateOptions, RIGHTS } from '@mk/libmk/capabilities/capabilities';
import { LARGE_PAGE_BYTES } from '@mk/libmk/memory/page-tables';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { program } from '@mk/libmk/program/program';
import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';
import { errorOf, same } from './expecting.ts';

const READ_WRITE = RIGHTS.read | RIGHTS.write;

export const main = program({ name: 'memory-refusals' }, async (mk) => {
  await beforeAnything(mk);
  await sizes(mk);
  await mappings(mk);
  await parts(mk);
  await places(mk);
  await laterPages(mk);
  await comingPages(mk);
  await comingFrames(mk);
  await pagesGivenBack(mk);
  await handlersAskedOnce(mk);
  await afterRevoke(mk);
  await copies(mk);
});

/** Before the first mapping an address leads nowhere, with the same errors as later. */
async function beforeAnything(mk: Mk): Promise<void> {
  same(mk, await mk.memory.lookup(2 ** 32), null, 'lookup before the first mapping');
  same(mk, await errorOf(mk, Promise.resolve(mk.memory.load8(2 ** 32))), 'PAGE_FAULT', 'a load');
  same(mk, await errorOf(mk, mk.memory.fetchAdd(2 ** 32, 1n)), 'PAGE_FAULT', 'an atomic');
  for (const address of [-1, 1.5, 2 ** 48, 2 ** 60])
    same(mk, await mk.memory.lookup(address), null, `lookup ${address}`);
}

/** Each text says what was wrong. */
async function sizes(mk: Mk): Promise<void> {
  const refusal = (bytes: number, options?: AllocateOptions) => textOf(mk.capabilities.alloc(bytes, options));
  same(mk, await refusal(-1), 'BAD_SYSTEM_CALL: allocate: bytes is not a whole number of 0 or more: -1', 'bytes');
  const near = 'BAD_SYSTEM_CALL: allocate: near is not a whole number of 0 or more: 1.5';
  same(mk, await refusal(PAGE_BYTES, { near: 1.5 }), near, 'a core');
  const alignment = 'OFFSET_ALIGNMENT: an alignment is a power of two';
  same(mk, await refusal(PAGE_BYTES, { alignment: 3 }), alignment, 'alignment');
  mk.assert((await refusal(2 ** 40)).startsWith('OUT_OF_MEMORY: '), 'more than the machine has');
  same(mk, await refusal(0), 'SIZE_ALIGNMENT: an allocation needs at least one byte', 'nothing');
}

async function mappings(mk: Mk): Promise<void> {
  const { memory } = mk;
  const frame = await memory.allocFrame(2 * PAGE_BYTES);
  const refusal = (what: Promise<unknown>): Promise<string> => errorOf(mk, what);
  same(mk, await refusal(memory.map(frame, { offset: -PAGE_BYTES })), 'MAP_OFFSET', 'before the frame');
  same(mk, await refusal(memory.map(frame, { offset: 2 * PAGE_BYTES })), 'MAP_RANGE', 'behind it');
  same(mk, await refusal(memory.map(frame, { bytes: 0 })), 'SIZE_ALIGNMENT', 'nothing of it');
  same(mk, await refusal(memory.map(frame, { bytes: 100 })), 'MISALIGNED', 'a part of a page');
  same(mk, await refusal(memory.map(frame, { at: 2 ** 48 - PAGE_BYTES })), 'MISALIGNED', 'beyond the address space');
  for (const rights of [-1, 1.5, 8, 64, Number.NaN])
    same(mk, await refusal(memory.map(frame, { rights })), 'RIGHTS_NOT_SUBSET', `rights ${rights}`);
  same(mk, await refusal(memory.map(frame, { pageBytes: Object(8192) })), 'MISALIGNED', 'pages of 8 KiB');
  same(mk, await refusal(memory.map(frame, { kind: Object('weird') })), 'BAD_REQUEST', 'a kind that there is not');
  const region = await memory.map(frame); // all is as if nothing had been asked
  same(mk, await memory.load32(region.address), 0, 'mapped at last');
  await memory.unmap(region);
}

/** Protect takes whole pages of its region, and nothing else. */
async function parts(mk: Mk): Promise<void> {
  const { memory } = mk;
  const refusal = (what: Promise<unknown>): Promise<string> => errorOf(mk, what);
  const region = await memory.map(await memory.allocFrame(4 * PAGE_BYTES));
  const { address } = region;
  const crooked = { address: address + 1, bytes: PAGE_BYTES };
  same(mk, await refusal(memory.protect(region, RIGHTS.read, crooked)), 'MISALIGNED', 'a crooked part');
  const outside = { address: address + 4 * PAGE_BYTES, bytes: PAGE_BYTES };
  same(mk, await refusal(memory.protect(region, RIGHTS.read, outside)), 'MAP_RANGE', 'a part outside');
  const before = { address: address - PAGE_BYTES, bytes: 2 * PAGE_BYTES };
  same(mk, await refusal(memory.protect(region, RIGHTS.read, before)), 'MAP_RANGE', 'a part half outside');
  same(mk, await refusal(memory.protect(region, 99)), 'RIGHTS_NOT_SUBSET', 'rights that there are not');
  await memory.store8(address, 1); // nothing was protected
  await memory.unmap(region);
  const big = await memory.map(await memory.allocFrame(LARGE_PAGE_BYTES, { alignment: LARGE_PAGE_BYTES }), {
    pageBytes: LARGE_PAGE_BYTES,
  });
  const small = { address: big.address, bytes: PAGE_BYTES };
  same(mk, await refusal(memory.protect(big, RIGHTS.read, small)), 'MISALIGNED', 'a part of a large page');
  await memory.store8(big.address + LARGE_PAGE_BYTES - 1, 1);
  await memory.unmap(big);
}

/** Free places are free, whatever was mapped where; what did not fit takes none. */
async function places(mk: Mk): Promise<void> {
  const { memory } = mk;
  const frame = await memory.allocFrame(PAGE_BYTES);
  const first = await memory.map(frame);
  const ahead = await memory.map(frame, { at: first.address + 4 * PAGE_BYTES });
  const wide = await memory.map(await memory.allocFrame(8 * PAGE_BYTES));
  mk.assert(wide.address > ahead.address, 'what is mapped at an address is not in the way');
  mk.assert(thrown(() => memory.reserve(2 ** 50)) === 'MISALIGNED', 'more than the address space');
  mk.assert(thrown(() => memory.reserve(0)) === 'SIZE_ALIGNMENT', 'nothing');
  mk.assert(
    thrown(() => memory.reserve(PAGE_BYTES, { at: first.address })) === 'ENTRY_IN_USE',
    'a place that is taken',
  );
  const small = memory.reserve(1);
  mk.assert(small.address < 2 ** 40, 'the next place is where it was');
  for (const region of [first, ahead, wide, small]) await memory.unmap(region);
}

/** A range's rights are those of pages that come later, too. */
async function laterPages(mk: Mk): Promise<void> {
  const { memory } = mk;
  const heap = memory.reserve(4 * PAGE_BYTES);
  const { address } = heap;
  await memory.store32(address, 1);
  await memory.protect(heap, RIGHTS.read);
  for (const at of [address, address + PAGE_BYTES])
    same(mk, await errorOf(mk, Promise.resolve(memory.store32(at, 2))), 'PAGE_FAULT', 'a store');
  same(mk, await memory.load32(address + PAGE_BYTES), 0, 'a page that came to be read');
  await memory.protect(heap, READ_WRITE, { address: address + PAGE_BYTES, bytes: PAGE_BYTES });
  await memory.store32(address + PAGE_BYTES, 3);
  same(mk, await errorOf(mk, memory.fetchAdd(address + 2 * PAGE_BYTES, 1n)), 'PAGE_FAULT', 'an atomic');
  await memory.protect(heap, READ_WRITE);
  same(mk, String(await memory.fetchAdd(address + 2 * PAGE_BYTES, 5n)), '0', 'an atomic on a page that comes for it');
  same(mk, String(await memory.load64(address + 2 * PAGE_BYTES)), '5', 'what it left');
  await memory.unmap(heap);
}

/** A page that comes while its range is protected has the rights that the range has then, whatever it was begun with. */
async function comingPages(mk: Mk): Promise<void> {
  const { memory } = mk;
  const heap = memory.reserve(24 * PAGE_BYTES);
  for (let page = 0; page < 24; page += 1) {
    const at = heap.address + page * PAGE_BYTES;
    const part = { address: at, bytes: PAGE_BYTES };
    const [before, then] = page % 2 === 0 ? [RIGHTS.read, READ_WRITE] : [READ_WRITE, RIGHTS.read];
    await memory.protect(heap, before, part);
    const coming = memory.load32(at);
    for (let calls = 0; calls < page / 2; calls += 1) await memory.lookup(at);
    await memory.protect(heap, then, part);
    if (then === READ_WRITE) await memory.store32(at, 1);
    else same(mk, await errorOf(mk, Promise.resolve(memory.store32(at, 1))), 'PAGE_FAULT', `a store to page ${page}`);
    await coming;
  }
  await memory.unmap(heap);
}

/** A frame whose mapping within a range is under way when the range is unmapped goes with it. */
async function comingFrames(mk: Mk): Promise<void> {
  const { memory } = mk;
  const frame = await memory.allocFrame(PAGE_BYTES);
  for (let calls = 0; calls < 6; calls += 1) {
    const range = memory.reserve(PAGE_BYTES, { onFault: () => false });
    const mapping = memory.map(frame, { at: range.address, bytes: PAGE_BYTES });
    for (let call = 0; call < calls; call += 1) await memory.lookup(range.address);
    await memory.unmap(range);
    same(mk, await memory.lookup(range.address), null, `after an unmap ${calls} calls later`);
    await mapping;
    same(mk, await memory.lookup(range.address), null, 'when both are over');
  }
}

/**
 * A page of a range that is given back leaves nothing behind, and comes back fresh: more often than a domain has slots.
 */
async function pagesGivenBack(mk: Mk): Promise<void> {
  const { memory } = mk;
  const heap = memory.reserve(2 * PAGE_BYTES);
  for (let round = 1; round <= 260; round += 1) {
    const page = { address: heap.address + (round % 2) * PAGE_BYTES, bytes: PAGE_BYTES };
    same(mk, await memory.load32(page.address), 0, 'a page that came again');
    await memory.store32(page.address, round);
    await memory.unmap(page);
  }
  await memory.unmap(heap);
}

/** Two threads fault on a page while its handler works: it is asked once. */
async function handlersAskedOnce(mk: Mk): Promise<void> {
  const { memory } = mk;
  const frame = await memory.allocFrame(PAGE_BYTES);
  let asked = 0;
  const file = memory.reserve(PAGE_BYTES, {
    onFault: async ({ address }) => {
      asked += 1;
      await mk.sleep(1e6);
      await memory.map(frame, { at: address - (address % PAGE_BYTES) });
      return true;
    },
  });
  await Promise.all([
    memory.store8(file.address, 1),
    memory.fetchAdd(file.address + 8, 1n),
    memory.load8(file.address),
  ]);
  same(mk, asked, 1, 'how often it was asked');
  await memory.unmap(file);
}

/** What a revoke has taken can be unmapped: its addresses are free again. */
async function afterRevoke(mk: Mk): Promise<void> {
  const { memory, capabilities } = mk;
  const ram = await capabilities.alloc(PAGE_BYTES);
  const [frame] = await capabilities.retype(ram, 'Frame', { bytes: PAGE_BYTES });
  const region = await memory.map(known(frame));
  await capabilities.revoke(ram);
  await memory.unmap(region);
  const again = await memory.map(await memory.allocFrame(PAGE_BYTES), { at: region.address });
  same(mk, await memory.load32(again.address), 0, 'another frame at the same address');
  await memory.unmap(again);
}

/** Ranges that overlap are copied as if at once, in both directions. */
async function copies(mk: Mk): Promise<void> {
  const { memory } = mk;
  const region = await memory.map(await memory.allocFrame(4 * PAGE_BYTES));
  const text = Uint8Array.from({ length: 3 * PAGE_BYTES }, (_, i) => (i * 31) & 255);
  for (const by of [1, 100, PAGE_BYTES]) {
    for (const [from, to] of [
      [0, by],
      [by, 0],
    ] as const) {
      await memory.write(region.address + from, text);
      await memory.copy(region.address + to, region.address + from, text.length);
      const moved = await memory.read(region.address + to, text.length);
      mk.assert(
        moved.every((byte, i) => byte === text[i]),
        `a copy from ${from} to ${to}`,
      );
    }
  }
  await memory.unmap(region);
}

function thrown(what: () => unknown): string {
  try {
    what();
  } catch (error) {
    if (isMkError(error)) return error.name;
    throw error;
  }
  return 'nothing';
}

async function textOf(what: Promise<unknown>): Promise<string> {
  return what.then(
    () => 'nothing',
    (error: unknown) => String(error),
  );
}

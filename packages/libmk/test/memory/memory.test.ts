import { describe, expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import {
  ACCESS,
  type FrameView,
  makeFrameView,
  PAGE_BYTES,
  PAGE_STATES,
  pinWordOf,
} from '@mk/libmk/dispatcher/frame-view';
import { Memory, MemoryError, type MemoryPort } from '@mk/libmk/memory/memory';

const PAGES = 8;
const BASE = 1 << 20;

/** A CPU driver that maps one frame at BASE, hands out pages on request, and can move the frame away. */
class Driver implements MemoryPort {
  frame: FrameView = makeFrameView(PAGES);
  rights: number = ACCESS.read | ACCESS.write;
  faults = 0;

  async fault(address: number, kind: 'read' | 'write') {
    this.faults += 1;
    const page = (address - BASE) / PAGE_BYTES;
    if (!(page >= 0 && page < PAGES) || (ACCESS[kind] & this.rights) === 0)
      throw new MemoryError('PAGE_FAULT', `${kind} of ${address}`);
    const words = new Int32Array(this.frame.words);
    const state = kind === 'write' ? PAGE_STATES.modified : PAGE_STATES.shared;
    if (words[Math.floor(page)]! < state) words[Math.floor(page)] = state;
    return { frame: this.frame, page: Math.floor(page), rights: this.rights };
  }

  relocate(): void {
    new Int32Array(this.frame.words).fill(PAGE_STATES.invalid, 0, PAGES);
    const fresh = makeFrameView(PAGES);
    new Uint8Array(fresh.bytes).set(new Uint8Array(this.frame.bytes));
    this.frame = fresh;
  }
}

describe('memory', () => {
  test('a first access faults, the next are done at once', async () => {
    const driver = new Driver();
    const memory = new Memory(driver);
    await memory.store32(BASE + 8, 77);
    expect(memory.load32(BASE + 8)).toBe(77);
    expect(memory.store64(BASE + 16, 2n ** 64n - 1n)).toBeUndefined();
    expect(memory.load64(BASE + 16)).toBe(2n ** 64n - 1n);
    expect(memory.load8(BASE + 8)).toBe(77);
    expect(driver.faults).toBe(1);
    expect(memory.tlb.statistics).toEqual({ misses: 1, refills: 0 });
  });

  test('after a relocation nothing reaches the memory through the old view', async () => {
    const driver = new Driver();
    const memory = new Memory(driver);
    await memory.store32(BASE, 1);
    const old = driver.frame;
    const view = await memory.view(BASE, PAGE_BYTES, 'write');
    driver.relocate();
    view[0] = 99;
    expect(new Uint8Array(driver.frame.bytes)[0]).toBe(1);
    await memory.store32(BASE, 2);
    expect(new Uint32Array(old.bytes)[0]).toBe(99);
    expect(new Uint32Array(driver.frame.bytes)[0]).toBe(2);
    expect(memory.tlb.statistics.refills).toBe(1);
  });

  test('a page that was taken away faults, and a right that is not there is an error', async () => {
    const driver = new Driver();
    const memory = new Memory(driver);
    await memory.load32(BASE);
    new Int32Array(driver.frame.words)[0] = PAGE_STATES.invalid;
    expect(memory.load32(BASE)).toBeInstanceOf(Promise);
    driver.rights = ACCESS.read;
    driver.relocate();
    await expect(memory.store8(BASE, 1)).rejects.toThrow('PAGE_FAULT');
    await expect(memory.load8(BASE - 1)).rejects.toThrow('PAGE_FAULT');
    await expect(memory.load32(BASE + 2)).rejects.toThrow('MISALIGNED');
    await expect(memory.load64(Number.NaN)).rejects.toThrow('MISALIGNED');
  });

  test('a view pins its page until the turn ends', async () => {
    const driver = new Driver();
    const memory = new Memory(driver);
    const words = new Int32Array(driver.frame.words);
    await memory.view(BASE + 3 * PAGE_BYTES, 10, 'read');
    expect(words[pinWordOf(PAGES, 3)]).toBe(1);
    memory.release();
    expect(words[pinWordOf(PAGES, 3)]).toBe(0);
  });

  test('against plain bytes: 100 random histories, with pages taken away in between', async () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const prng = createPrng(seed);
      const driver = new Driver();
      const memory = new Memory(driver);
      const model = new Uint8Array(PAGES * PAGE_BYTES);
      for (let i = 0; i < 60; i += 1) {
        const at = prng.nextInt(model.length - 5000);
        const length = prng.nextInt(5000);
        const what = prng.nextInt(5);
        if (what === 0) driver.relocate();
        else if (what === 1) new Int32Array(driver.frame.words)[prng.nextInt(PAGES)] = prng.nextInt(2);
        else if (what === 2) {
          const bytes = Uint8Array.from({ length }, () => prng.nextInt(256));
          await memory.write(BASE + at, bytes);
          model.set(bytes, at);
        } else if (what === 3) {
          await memory.store8(BASE + at, i);
          model[at] = i;
        } else expect(Buffer.compare(await memory.read(BASE + at, length), model.subarray(at, at + length))).toBe(0);
      }
    }
  });
});

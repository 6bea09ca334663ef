/**
 * The free RAM of one core: ranges by address, neighbours always joined. First fit from the low end, so the same
 * requests give the same addresses. An allocator serves whatever ranges it was given, including those stolen from a
 * peer. Assumes that no capability covers a range that is freed (see `reclaim.ts`).
 */
import { known } from '@mk/monitor-proto/assert';
import type { Range } from '../model/capability.ts';
import { subtractRanges, totalBytes } from '../model/ranges.ts';

const PAGE_BYTES = 4096;

export class RamAllocator {
  /** Sorted, disjoint, never adjacent. */
  private free: Range[] = [];
  /** Counts changes, for checkers. */
  changes = 0;

  constructor(seed: readonly Range[] = []) {
    for (const range of seed) this.release(range);
  }

  get freeBytes(): number {
    return totalBytes(this.free);
  }

  freeRanges(): readonly Range[] {
    return this.free;
  }

  /** The lowest fitting range, within `within` if given; null when there is none. */
  allocate(bytes: number, alignment: number = PAGE_BYTES, within?: Range): Range | null {
    if (!(bytes > 0) || !(alignment > 0)) return null;
    for (const [index, range] of this.free.entries()) {
      const floor = Math.max(range.address, within?.address ?? 0);
      const start = Math.ceil(floor / alignment) * alignment;
      const end = Math.min(range.address + range.size, within === undefined ? Infinity : within.address + within.size);
      if (start + bytes <= end) return this.carve(index, { address: start, size: bytes });
    }
    return null;
  }

  /** Removes and returns the free part of `range`: for a peer that steals, or a request by address. */
  take(range: Range): Range[] {
    this.changes += 1;
    const kept = subtractRanges(this.free, [range]);
    const taken = subtractRanges(this.free, kept);
    this.free = kept;
    return taken;
  }

  /**
   * Gives a range back and joins it to its neighbours. Returns the part that was not free already: freeing twice does
   * nothing.
   */
  release(range: Range): Range[] {
    const known = this.overlappingFree(range);
    const added = known.length === 0 ? [range] : subtractRanges([range], known);
    for (const part of added) this.join(part);
    return added;
  }

  private carve(index: number, taken: Range): Range {
    this.changes += 1;
    const from = known(this.free[index]);
    const rest = subtractRanges([from], [taken]);
    this.free.splice(index, 1, ...rest);
    return taken;
  }

  private overlappingFree(range: Range): Range[] {
    const found: Range[] = [];
    for (let i = this.firstEndingAfter(range.address); i < this.free.length; i += 1) {
      if (known(this.free[i]).address >= range.address + range.size) break;
      found.push(known(this.free[i]));
    }
    return found;
  }

  /** Adds a range that overlaps nothing free. */
  private join({ address, size }: Range): void {
    this.changes += 1;
    let at = this.firstEndingAfter(address);
    let start = address;
    let end = address + size;
    let joined = 0;
    const before = this.free[at - 1];
    if (before !== undefined && before.address + before.size === address) {
      start = before.address;
      at -= 1;
      joined += 1;
    }
    const after = this.free[at + joined];
    if (after !== undefined && after.address === end) {
      end = after.address + after.size;
      joined += 1;
    }
    this.free.splice(at, joined, { address: start, size: end - start });
  }

  /** Index of the first free range that ends above `address`. */
  private firstEndingAfter(address: number): number {
    let low = 0;
    let high = this.free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const range = known(this.free[middle]);
      if (range.address + range.size <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

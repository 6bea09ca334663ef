import { known } from '@mk/monitor-proto/assert';

/** Something with a place in the natural order of names. */
export interface Placed {
  readonly name: string;
  /** `orderKey(name)`. */
  readonly key: string;
}

/** A longer block is split: inserting into it would cost more than finding the block. */
const BLOCK = 512;

/** Rows in the natural order of names, in sorted blocks. Finds, adds and removes without scanning. Pure. */
export class OrderedNames<T extends Placed> {
  private readonly blocks: T[][] = [];

  add(row: T): void {
    const at = Math.min(this.blockOf(row), this.blocks.length - 1);
    const block = this.blocks[at];
    if (block === undefined) return void this.blocks.push([row]);
    block.splice(firstFrom(block, row), 0, row);
    if (block.length > BLOCK) this.blocks.splice(at + 1, 0, block.splice(BLOCK / 2));
  }

  remove(row: T): void {
    const at = this.blockOf(row);
    const block = this.blocks[at];
    if (block === undefined) return;
    const index = firstFrom(block, row);
    if (block[index]?.name !== row.name) return;
    block.splice(index, 1);
    if (block.length === 0) this.blocks.splice(at, 1);
  }

  /** Replaces the row of the same name. */
  replace(row: T): void {
    const block = known(this.blocks[this.blockOf(row)]);
    block[firstFrom(block, row)] = row;
  }

  /** Rows from a place on, in order. Invalid after a change. */
  *from(place: Placed): Generator<T, void> {
    for (let at = this.blockOf(place); at < this.blocks.length; at++) {
      const block = known(this.blocks[at]);
      const start = order(known(block[0]), place) >= 0 ? 0 : firstFrom(block, place);
      for (let index = start; index < block.length; index++) yield known(block[index]);
    }
  }

  /** Rows before a place, nearest first. Invalid after a change. */
  *before(place: Placed): Generator<T, void> {
    for (let at = Math.min(this.blockOf(place), this.blocks.length - 1); at >= 0; at--) {
      const block = known(this.blocks[at]);
      for (let index = firstFrom(block, place) - 1; index >= 0; index--) yield known(block[index]);
    }
  }

  /** The first block whose last row is not before the place. */
  private blockOf(place: Placed): number {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(known(known(this.blocks[middle]).at(-1)), place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Natural order; names that differ only in leading zeros compare as written. */
export function order(a: Placed, b: Placed): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function firstFrom(block: readonly Placed[], place: Placed): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order(known(block[middle]), place) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

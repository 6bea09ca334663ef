import { MkError } from '../runtime/mk-error.ts';

/** Slots of the cspace that libmk hands out itself, from above: those that the kernel fills come from below. */
const FIRST = 256;
const LAST = 511;

/** Which addresses of the cspace this library has filled, or is about to. */
export class Slots {
  private readonly used = new Set<number>();

  /** Addresses in a row that libmk has not given out. NO_FREE_SLOT. */
  reserve(count: number): readonly number[] {
    for (let first = LAST - count + 1; first >= FIRST; first -= 1) {
      const run = Array.from({ length: count }, (_, i) => first + i);
      if (run.some((address) => this.used.has(address))) continue;
      for (const address of run) this.used.add(address);
      return run;
    }
    throw new MkError('NO_FREE_SLOT', `no ${count} free slots in a row: delete what is no longer needed`);
  }

  /** The slot is empty. */
  release(address: number): void {
    this.used.delete(address);
  }
}

import { MkError } from '../runtime/mk-error.ts';

/** First slot of the cspace that libmk assigns; those that the kernel fills lie below. */
const FIRST = 256;
const LAST = 511;

/** The addresses of the cspace that this library has filled, or is about to. */
export class Slots {
  private readonly used = new Set<number>();

  /** Consecutive unused addresses. NO_FREE_SLOT. */
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

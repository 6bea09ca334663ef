import type { CoreId } from '@mk/monitor-proto/ids';
import { overlaps, type Range } from '../../capability/model/capability.ts';
import { subtractRanges, unionRanges } from '../../capability/model/ranges.ts';

/**
 * The memory of each capability that this core has sent, by receiver. It never understates, but overstates once a gift
 * is gone. Except for its own memory, a core gets every capability from another, so somebody always knows who may have
 * it.
 */
export class Given {
  private readonly byCore = new Map<CoreId, Range[]>();
  private ever: readonly Range[] = [];

  note(core: CoreId, { address, size }: Range): void {
    const known = this.byCore.get(core) ?? [];
    if (size === 0 || subtractRanges([{ address, size }], known).length === 0) return;
    this.byCore.set(core, unionRanges([...known, { address, size }]));
    this.ever = unionRanges([...this.ever, { address, size }]);
  }

  /** Whether a core was handed something in a range. */
  has(core: CoreId, range: Range): boolean {
    return this.byCore.get(core)?.some((given) => overlaps(given, range)) === true;
  }

  /** Whether anybody was handed something in a range, including cores gone since, which may have handed it on. */
  hasTo(range: Range): boolean {
    return this.ever.some((given) => overlaps(given, range));
  }

  /** Forgets an incarnation's gifts, which are gone with it. */
  forget(core: CoreId): void {
    this.byCore.delete(core);
  }
}

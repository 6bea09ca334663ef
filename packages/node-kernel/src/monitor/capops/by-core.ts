import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import { coreOf } from '../agreement/finished.ts';

/**
 * State kept here for operations of other cores, at most so many entries for each core: a core that never ends its
 * operations fills only its own share.
 */
export class ByInitiator<V> extends Map<OperationId, V> {
  private readonly counts: CoreCounts;

  constructor(private readonly most: number) {
    super();
    this.counts = new CoreCounts(most);
  }

  /** Whether the core that began an operation has used up its share. */
  isFull(op: OperationId): boolean {
    return this.counts.of(coreOf(op)) >= this.most;
  }

  override set(op: OperationId, value: V): this {
    if (!this.has(op)) this.counts.begin(coreOf(op));
    return super.set(op, value);
  }

  override delete(op: OperationId): boolean {
    const was = super.delete(op);
    if (was) this.counts.end(coreOf(op));
    return was;
  }
}

/** Counts operations under way for each other core. */
export class CoreCounts {
  private readonly counts = new Map<CoreId, number>();

  constructor(private readonly most: number) {}

  of(core: CoreId): number {
    return this.counts.get(core) ?? 0;
  }

  /** Counts one more if the core's share allows. */
  begin(core: CoreId): boolean {
    const count = this.of(core);
    if (count >= this.most) return false;
    this.counts.set(core, count + 1);
    return true;
  }

  end(core: CoreId): void {
    const count = this.of(core) - 1;
    if (count > 0) this.counts.set(core, count);
    else this.counts.delete(core);
  }
}

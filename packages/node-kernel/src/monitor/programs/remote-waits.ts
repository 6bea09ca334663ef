import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { OperationError, type Stop } from '../operations.ts';

interface RemoteWait {
  readonly from: CoreId;
  readonly stop: Stop;
}

/** Other cores' waits for the end of domains that have their home here. They end with their core, or when it says so. */
export class RemoteWaits {
  private readonly waits = new Map<OperationId, RemoteWait>();

  get size(): number {
    return this.waits.size;
  }

  begun(op: OperationId, from: CoreId, stop: Stop): void {
    this.waits.set(op, { from, stop });
  }

  ended(op: OperationId): void {
    this.waits.delete(op);
  }

  /** The asker's program does not wait any more. */
  over(op: OperationId, from: CoreId, now: Nanos): void {
    const wait = this.waits.get(op);
    if (wait?.from === from) wait.stop(new OperationError('CANCELLED', 'its caller gave up'), now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    for (const [op, { from }] of [...this.waits]) if (from === core) this.over(op, from, now);
  }
}

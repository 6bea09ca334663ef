import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { GiveUp } from '../../cpu-driver/give-up.ts';

/** Other cores' waits for the end of domains that have their home here. They end with their core, or when it says so. */
export class RemoteWaits {
  /** By who asked, so that a core which uses another's operation ids takes nothing from it. */
  private readonly waits = new Map<string, { readonly from: CoreId; readonly giveUp: GiveUp }>();

  get size(): number {
    return this.waits.size;
  }

  begun(from: CoreId, op: OperationId, giveUp: GiveUp): void {
    this.waits.set(keyOf(from, op), { from, giveUp });
  }

  ended(from: CoreId, op: OperationId): void {
    this.waits.delete(keyOf(from, op));
  }

  /** The asker's program does not wait any more. */
  over(from: CoreId, op: OperationId, now: Nanos): void {
    this.waits.get(keyOf(from, op))?.giveUp(now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    for (const { from, giveUp } of [...this.waits.values()]) if (from === core) giveUp(now);
  }
}

function keyOf(from: CoreId, op: OperationId): string {
  return `${from} ${op}`;
}

import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from '../context.ts';

/** News for other monitors, in order, that a full queue must not lose. A peer that is gone needs none. */
export class Notices {
  private readonly waiting = new Map<CoreId, Message[]>();

  constructor(private readonly context: MonitorContext) {}

  tell(core: CoreId, message: Message): void {
    const queue = this.waiting.get(core);
    if (queue !== undefined) queue.push(message);
    else if (this.context.send(core, message) === 'BUSY') this.waiting.set(core, [message]);
  }

  /** There is room again. */
  sendable(core: CoreId): void {
    const queue = this.waiting.get(core);
    if (queue === undefined) return;
    while (queue.length > 0) {
      if (this.context.send(core, known(queue[0])) === 'BUSY') return;
      queue.shift();
    }
    this.waiting.delete(core);
  }

  peerGone(core: CoreId): void {
    this.waiting.delete(core);
  }

  get size(): number {
    return this.waiting.size;
  }
}

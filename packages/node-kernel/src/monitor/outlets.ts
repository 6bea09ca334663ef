import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from './context.ts';

/**
 * Messages to other cores that must not be lost, in order per core: what a link's lane refuses with BUSY waits here
 * until there is room. The sender bounds how much that can be.
 */
export class Outlets {
  private readonly waiting = new Map<CoreId, Message[]>();

  constructor(private readonly context: MonitorContext) {}

  /** Messages that wait for room. */
  get size(): number {
    let size = 0;
    for (const queue of this.waiting.values()) size += queue.length;
    return size;
  }

  /** Sends in order; nothing to a core that is gone. */
  send(core: CoreId, message: Message): void {
    const queue = this.waiting.get(core);
    if (queue !== undefined) queue.push(message);
    else if (this.context.send(core, message) === 'BUSY') this.waiting.set(core, [message]);
  }

  /** The link's lane has room again. */
  sendable(core: CoreId): void {
    const queue = this.waiting.get(core);
    if (queue === undefined) return;
    let sent = 0;
    while (sent < queue.length && this.context.send(core, known(queue[sent])) !== 'BUSY') sent += 1;
    if (sent === queue.length) this.waiting.delete(core);
    else queue.splice(0, sent);
  }

  peerGone(core: CoreId): void {
    this.waiting.delete(core);
  }
}

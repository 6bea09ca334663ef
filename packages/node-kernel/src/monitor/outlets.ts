import { known } from '@mk/monitor-proto/assert';
import type { PeerId } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from './context.ts';

/**
 * Messages to other cores, or the SKB, that must not be lost, in order per peer: messages that a link’s lane refuses
 * with BUSY wait here until there is room. The sender bounds how many there can be.
 */
export class Outlets {
  private readonly waiting = new Map<PeerId, Message[]>();

  constructor(private readonly context: MonitorContext) {}

  /** The number of messages that wait for room. */
  get size(): number {
    let size = 0;
    for (const queue of this.waiting.values()) size += queue.length;
    return size;
  }

  /** Sends in order; drops messages to a peer that is gone. */
  send(peer: PeerId, message: Message): void {
    const queue = this.waiting.get(peer);
    if (queue !== undefined) queue.push(message);
    else if (this.context.send(peer, message) === 'BUSY') this.waiting.set(peer, [message]);
  }

  /** The link's lane has room again. */
  sendable(peer: PeerId): void {
    const queue = this.waiting.get(peer);
    if (queue === undefined) return;
    let sent = 0;
    while (sent < queue.length && this.context.send(peer, known(queue[sent])) !== 'BUSY') sent += 1;
    if (sent === queue.length) this.waiting.delete(peer);
    else queue.splice(0, sent);
  }

  peerGone(peer: PeerId): void {
    this.waiting.delete(peer);
  }
}

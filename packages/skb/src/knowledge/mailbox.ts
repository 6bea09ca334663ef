import type { Nanos } from '@mk/monitor-proto/ids';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';

/** Sends to clients in order; what a full channel refuses waits here, and a client that never takes it is given up. */
export class Mailbox {
  private readonly backlog = new Map<Peer, Message[]>();

  constructor(private readonly endpoint: Endpoint) {}

  send(peer: Peer, message: Message): void {
    if (peer.gone) return;
    const waiting = this.backlog.get(peer);
    if (waiting === undefined) {
      if (!this.endpoint.sendTo(peer, message)) this.backlog.set(peer, [message]);
    } else waiting.push(message);
  }

  /** There is room again. */
  sendable(peer: Peer): void {
    const waiting = this.backlog.get(peer);
    if (waiting === undefined) return;
    const stuck = waiting.findIndex((message) => !this.endpoint.sendTo(peer, message));
    if (stuck < 0) this.backlog.delete(peer);
    else waiting.splice(0, stuck);
  }

  /** Ends every client with too much waiting; outside of `send`, since it tells others. */
  giveUp(now: Nanos): void {
    if (this.backlog.size === 0) return;
    for (const [peer, waiting] of [...this.backlog]) {
      if (waiting.length > limit('clientBacklog')) this.endpoint.forget(peer, 'it does not take its answers', now);
    }
  }

  gone(peer: Peer): void {
    this.backlog.delete(peer);
  }
}

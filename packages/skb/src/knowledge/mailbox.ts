import type { Nanos } from '@mk/monitor-proto/ids';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';

/** What happens to a client with more waiting than may: its owner decides. */
export type Overfull = (peer: Peer, now: Nanos) => void;

/**
 * Sends to clients in order; what its channel has no room for waits here. A client with much waiting is not served further
 * (`isLong`), and one for which more waits than may, as others make news for it, is its owner's to lighten or to end.
 */
export class Mailbox {
  private readonly backlog = new Map<Peer, Backlog>();

  constructor(
    private readonly endpoint: Pick<Endpoint, 'sendTo'>,
    private readonly overfull: Overfull,
  ) {}

  send(peer: Peer, message: Message): void {
    if (peer.gone) return;
    const waiting = this.backlog.get(peer);
    if (waiting === undefined && this.hands(peer, message)) return;
    const backlog = waiting ?? { messages: [], chars: 0 };
    backlog.messages.push(message);
    backlog.chars += charsOf(message);
    this.backlog.set(peer, backlog);
  }

  /** There is room again. */
  sendable(peer: Peer): void {
    const waiting = this.backlog.get(peer);
    if (waiting === undefined) return;
    const stuck = waiting.messages.findIndex((message) => !this.hands(peer, message));
    if (stuck < 0) this.backlog.delete(peer);
    else for (const message of waiting.messages.splice(0, stuck)) waiting.chars -= charsOf(message);
  }

  /** Whether so much waits for the client that it gets nothing new to wait for: half of what may. */
  isLong(peer: Peer): boolean {
    return this.exceeds(peer, 0.5);
  }

  /** Whether more waits than so many times what may. */
  exceeds(peer: Peer, times: number): boolean {
    const waiting = this.backlog.get(peer);
    return (
      waiting !== undefined &&
      (waiting.messages.length > times * limit('clientBacklog') ||
        waiting.chars > times * limit('clientBacklogCharacters'))
    );
  }

  /** Takes back what waits and is no longer of use. */
  withdraw(peer: Peer, isOfNoUse: (message: Message) => boolean): void {
    const waiting = this.backlog.get(peer);
    if (waiting === undefined) return;
    const messages = waiting.messages.filter((message) => !isOfNoUse(message));
    if (messages.length === 0) this.backlog.delete(peer);
    else this.backlog.set(peer, { messages, chars: messages.reduce((sum, message) => sum + charsOf(message), 0) });
  }

  /**
   * Hands on what there is room for, and names every client with too much waiting to its owner; outside of `send`, since
   * that tells others.
   */
  look(now: Nanos): void {
    if (this.backlog.size === 0) return;
    for (const peer of [...this.backlog.keys()]) {
      this.sendable(peer);
      if (this.exceeds(peer, 1)) this.overfull(peer, now);
    }
  }

  /** A channel counts messages, and these may be long: it gets as many as can be under way. */
  private hands(peer: Peer, message: Message): boolean {
    return peer.channel.unacknowledged < limit('clientUnread') && this.endpoint.sendTo(peer, message);
  }

  gone(peer: Peer): void {
    this.backlog.delete(peer);
  }
}

interface Backlog {
  readonly messages: Message[];
  chars: number;
}

/** A message's size is that of its text. */
function charsOf(message: Message): number {
  return 'text' in message && typeof message.text === 'string' ? message.text.length : 0;
}

import type { Nanos } from '@mk/monitor-proto/ids';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { limit } from '@mk/monitor-proto/limits';
import type { Message } from '@mk/monitor-proto/messages/table';

/** Sends to clients in order. What a full channel refuses waits here; a client that never takes it is given up. */
export class Mailbox {
  private readonly backlog = new Map<Peer, Backlog>();

  constructor(private readonly endpoint: Pick<Endpoint, 'sendTo' | 'forget'>) {}

  send(peer: Peer, message: Message): void {
    if (peer.gone) return;
    const waiting = this.backlog.get(peer);
    if (waiting === undefined && this.endpoint.sendTo(peer, message)) return;
    const backlog = waiting ?? { messages: [], chars: 0 };
    backlog.messages.push(message);
    backlog.chars += charsOf(message);
    this.backlog.set(peer, backlog);
  }

  /** There is room again. */
  sendable(peer: Peer): void {
    const waiting = this.backlog.get(peer);
    if (waiting === undefined) return;
    const stuck = waiting.messages.findIndex((message) => !this.endpoint.sendTo(peer, message));
    if (stuck < 0) this.backlog.delete(peer);
    else for (const message of waiting.messages.splice(0, stuck)) waiting.chars -= charsOf(message);
  }

  /** Ends every client with too much waiting; not within `send`, since this sends to others. */
  giveUp(now: Nanos): void {
    if (this.backlog.size === 0) return;
    for (const [peer, { messages, chars }] of [...this.backlog]) {
      if (messages.length > limit('clientBacklog') || chars > limit('clientBacklogCharacters'))
        this.endpoint.forget(peer, 'it does not take its answers', now);
    }
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

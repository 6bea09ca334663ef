import { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { EndpointOwner } from '@mk/monitor-proto/endpoint/owner';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { ErrorName } from '@mk/monitor-proto/errors';
import { type LinkId, type Nanos, type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import { hmacSha256 } from '@mk/monitor-proto/io/crypto';
import type { Message } from '@mk/monitor-proto/messages/table';
import { Outbox } from '@mk/monitor-proto/outbox';

/** An endpoint, the messages delivered to it, and whether its frames are lost. */
export class End implements EndpointOwner {
  readonly outbox = new Outbox('off');
  readonly endpoint: Endpoint;
  readonly got: Message[] = [];
  other!: End;
  lossy = false;
  /** Why nobody is admitted; null: everybody is. */
  admits: ErrorName | null = null;
  /** Instances whose links came up. */
  readonly up: string[] = [];

  constructor(
    readonly id: PeerId,
    readonly instance: string,
    incarnation = 1,
  ) {
    this.endpoint = new Endpoint(
      {
        cluster: 'mk',
        secret: new Uint8Array(32),
        instance,
        peer: id,
        incarnation,
        entropy: new Uint8Array(32),
        hmac: hmacSha256,
      },
      this,
      this.outbox,
    );
  }

  /** The other end as this one knows it. */
  get peer(): Peer {
    return this.endpoint.peers.get(this.other.id)!;
  }

  admit(): ErrorName | null {
    return this.admits;
  }
  peerUp(peer: Peer): void {
    this.up.push(peer.instance);
  }
  peerDown(): void {}
  peerGone(): void {}
  dialFailed(): boolean {
    return true;
  }
  message(_peer: Peer, message: Message): void {
    this.got.push(message);
  }
  volley(): void {}
  sendable(): void {}
}

export function pair(instance = 'the other'): readonly [End, End] {
  const core = new End(0, 'the core');
  const other = new End(instance === '' ? SKB_PEER : 1, instance === '' ? 'the SKB' : instance);
  core.other = other;
  other.other = core;
  core.endpoint.connect(other.id, 1, instance, 'its address', 0);
  return [core, other];
}

/**
 * Lets both ends act until neither has anything to do at `now`. The dialling end's link n is the other's link n + 1.
 */
export function settle(ends: readonly End[], now: Nanos): void {
  for (let quiet = false; !quiet;) {
    quiet = true;
    for (const end of ends) {
      end.endpoint.flush(now);
      for (const effect of end.outbox.take()) {
        quiet = false;
        if (effect.type === 'open_link') end.other.endpoint.linkUp(farId(effect.link), effect.first, now);
        else if (effect.type === 'send_frame' && !end.lossy)
          end.other.endpoint.frameReceived(farId(effect.link), effect.frame, now);
      }
    }
  }
}

export function farId(link: LinkId): LinkId {
  return link % 2 === 1 ? link + 1 : link - 1;
}

export function ping(id: number): Message {
  return { type: 'ping_request', id, payload: new Uint8Array() };
}

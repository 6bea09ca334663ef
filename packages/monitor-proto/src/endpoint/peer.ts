import {
  type CoreId,
  type Incarnation,
  type InstanceId,
  isCore,
  type LinkId,
  type Nanos,
  type PeerId,
} from '../ids.ts';
import type { CertifiedNames } from '../handshake/certified.ts';
import type { Timer } from '../timer-queue.ts';
import { Channel } from '../urpc/channel.ts';

/** An endpoint's state for one instance at the other end of a channel, across all its links. */
export class Peer {
  channel = new Channel();
  /** The open link, or 0. */
  link: LinkId = 0;
  /** A link that we are opening, or 0. */
  pendingLink: LinkId = 0;
  /** Where we dial it when a link is wanted; null: it dials us. */
  dial: string | null = null;
  dialAttempts = 0;
  /** A link is to be opened at the end of this step. */
  wanted = false;
  /** The pending retry of a dial, or null. */
  redial: Timer | null = null;
  /** Whether some link to this instance was ever open. */
  met = false;
  lastHeardAt: Nanos = 0;
  /** Since when it has owed an acknowledgement; Infinity: it owes none and may be silent. */
  askedAt: Nanos = Infinity;
  lastSentAt: Nanos = 0;
  /** When this channel's timer fires; Infinity: none is set. */
  armedAt: Nanos = Infinity;
  /** That timer. */
  timer: Timer | null = null;
  /** The channel's two directions as log lines name them; '' until the first traced message. */
  channelThere = '';
  channelBack = '';
  /** Messages so far by lane, which number the messages alike at both ends. */
  readonly sent: number[] = [0, 0, 0];
  readonly delivered: number[] = [0, 0, 0];
  /** Whom its certificate lets it be; null: no TLS, or we dialled it by that name. */
  certified: CertifiedNames | null = null;
  dirty = false;
  /** Rejected frames. */
  rejected = 0;
  gone = false;

  constructor(
    public id: PeerId,
    public incarnation: Incarnation,
    /** '' until a peer dialled by address alone has named its instance. */
    public instance: InstanceId,
  ) {}
}

/** A peer that is a core with an id. */
export type CorePeer = Peer & { readonly id: CoreId };

export function isCorePeer(peer: Peer): peer is CorePeer {
  return isCore(peer.id);
}

/** How long a peer that owes an acknowledgement has been silent; 0 when it owes none. */
export function silenceOf({ askedAt, lastHeardAt }: Peer, now: Nanos): Nanos {
  return askedAt === Infinity ? 0 : Math.max(0, now - Math.max(askedAt, lastHeardAt));
}

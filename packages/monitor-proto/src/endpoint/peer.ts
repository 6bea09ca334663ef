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

/** What an endpoint knows of one instance at the other end of a channel, through all its links. */
export class Peer {
  channel = new Channel();
  /** The open link, or 0. */
  link: LinkId = 0;
  /** A link that we opened and that is not open yet, or 0. */
  pendingLink: LinkId = 0;
  /** The address at which we open a link to it when one is wanted; null for one that only opens links to us. */
  dial: string | null = null;
  dialAttempts = 0;
  /** A link is to be opened at the end of this step. */
  wanted = false;
  /** Set while the next attempt to open a link waits. */
  redial: Timer | null = null;
  /** Whether some link to this instance was ever open. */
  met = false;
  lastHeardAt: Nanos = 0;
  /** Since when something is to be acknowledged by it; Infinity: nothing is, and it may be silent. */
  askedAt: Nanos = Infinity;
  lastSentAt: Nanos = 0;
  /** When a timer for this channel is due to look; Infinity: none is set. */
  armedAt: Nanos = Infinity;
  /** That timer. */
  timer: Timer | null = null;
  /** The channel's two directions as log lines name them; '' before the first message that is told of. */
  channelThere = '';
  channelBack = '';
  /** Messages so far by lane: the number that names one at both ends. */
  readonly sent: number[] = [0, 0, 0];
  readonly delivered: number[] = [0, 0, 0];
  /** Whom its certificate lets it be; null: no TLS, or it was dialled as the one that it is. */
  certified: CertifiedNames | null = null;
  dirty = false;
  /** Its frames that were rejected. */
  rejected = 0;
  gone = false;

  constructor(
    public id: PeerId,
    public incarnation: Incarnation,
    /** '' until the peer has said it, for one that is dialled by address alone. */
    public instance: InstanceId,
  ) {}
}

/** A peer that is a core with its id. */
export type CorePeer = Peer & { readonly id: CoreId };

export function isCorePeer(peer: Peer): peer is CorePeer {
  return isCore(peer.id);
}

/** How long a peer has been silent that owes an acknowledgement; 0 for one that owes none. */
export function silenceOf({ askedAt, lastHeardAt }: Peer, now: Nanos): Nanos {
  return askedAt === Infinity ? 0 : Math.max(0, now - Math.max(askedAt, lastHeardAt));
}

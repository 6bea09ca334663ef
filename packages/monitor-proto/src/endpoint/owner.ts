import type { ErrorName } from '../errors.ts';
import type { Nanos } from '../ids.ts';
import type { Message } from '../messages/table.ts';
import type { Identity, VolleyFrame } from '../urpc/frames.ts';
import type { Peer } from './peer.ts';

/** The decisions of an endpoint's owner, and the events that it hears of. */
export interface EndpointOwner {
  /**
   * Whether this peer may have a link: null, or why not. Asked before the peer has proved anything, and of a dialler
   * again once it has.
   */
  admit(from: Identity, dialled: boolean): ErrorName | null;
  /** A link to the peer is open; `first`: for the first time. */
  peerUp(peer: Peer, first: boolean, now: Nanos): void;
  /** The open link to the peer ended; the channel keeps undelivered messages. */
  peerDown(peer: Peer, reason: string, now: Nanos): void;
  /** The peer's instance is over; its channel is gone with everything queued in it. */
  peerGone(peer: Peer, cause: string, now: Nanos): void;
  /** Opening a link failed or was refused. Return true to go on trying. */
  dialFailed(peer: Peer, error: ErrorName | null, text: string, now: Nanos): boolean;
  message(peer: Peer, message: Message, now: Nanos): void;
  /** A peer that proved itself sent an invalid or misplaced frame; its link is closed. */
  misbehaved?(peer: Peer, error: ErrorName, text: string, now: Nanos): void;
  /** A frame that measures the link; it may be lost, doubled or late. */
  volley(peer: Peer, volley: VolleyFrame, now: Nanos): void;
  /** There is room again for a peer whose messages `send` refused with BUSY. */
  sendable(peer: Peer, now: Nanos): void;
}

/** Totals of an endpoint over all its peers, past ones included: no count ever falls. */
export interface EndpointCounters {
  framesSent: number;
  framesReceived: number;
  /** Messages sent again. */
  retransmitted: number;
  /** Messages received again. */
  doubled: number;
  framesRejected: number;
  linksRefused: number;
  linksOpened: number;
}

export function noCounts(): EndpointCounters {
  return {
    framesSent: 0,
    framesReceived: 0,
    retransmitted: 0,
    doubled: 0,
    framesRejected: 0,
    linksRefused: 0,
    linksOpened: 0,
  };
}

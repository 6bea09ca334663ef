/*
 * A host that is cut off, or loses its power, closes no connection: TCP gives up after a quarter of an hour. A process
 * that depends on a peer watches it:
 *
 *   W1  the link is ended and reopened when nothing was heard for the bound although an acknowledgement was due for
 *       half of it;
 *   W2  nothing is lost: the channel goes on over the next link, even with a peer that merely stood still;
 *   W3  a watcher that was itself stopped has heard nobody, and blames nobody.
 *
 * A new link counts only once the peer has proved itself, so a hung peer is dialled repeatedly, not dropped in a loop.
 */
import type { Nanos } from '../ids.ts';
import { limit } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import { nextHeartbeat } from './heartbeat.ts';
import type { Peer } from './peer.ts';

export interface SilenceOwner {
  /** The watched peer; null: none yet. */
  peer(): Peer | null;
  /** Sends something that the peer acknowledges. */
  ask(peer: Peer): void;
  /** The link is about to be closed after this much silence. */
  silent(forNs: Nanos): void;
  /** A link is open again. */
  heard(afterNs: Nanos): void;
}

/** Looks per bound: the link is ended at most one look late. */
const LOOKS = 4;

/** Watches one peer that this end dials. */
export class SilenceWatch {
  boundNs: Nanos = limit('skbSilenceNs');
  private lookedAt: Nanos = 0;
  /** When the peer whose link was ended was last heard; null: none was ended. */
  private silentSince: Nanos | null = null;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly owner: SilenceOwner,
    private readonly hostClockNs: Nanos = 0,
  ) {}

  start(now: Nanos): void {
    this.lookedAt = now;
    this.lookLater(now);
  }

  /** A link to the peer is open. */
  up(now: Nanos): void {
    if (this.silentSince === null) return;
    this.owner.heard(now - this.silentSince);
    this.silentSince = null;
  }

  /** How long the peer whose link was ended has been silent; 0 while there is no such peer. */
  silentNs(now: Nanos): Nanos {
    return this.silentSince === null ? 0 : now - this.silentSince;
  }

  /** On the host's heartbeat where there is one at that time, so that the process wakes once for both. */
  private lookLater(now: Nanos): void {
    const pause = this.boundNs / LOOKS;
    this.endpoint.timers.set(nextHeartbeat(now, pause, this.hostClockNs), (at) => this.look(at));
  }

  private look(now: Nanos): void {
    const stood = now - this.lookedAt > (2 * this.boundNs) / LOOKS;
    this.lookedAt = now;
    const peer = this.owner.peer();
    if (peer !== null && peer.link !== 0) this.judge(peer, stood, now);
    this.lookLater(now);
  }

  private judge(peer: Peer, stood: boolean, now: Nanos): void {
    const half = this.boundNs / 2;
    if (stood) peer.lastHeardAt = Math.max(peer.lastHeardAt, now - half);
    const silentNs = now - peer.lastHeardAt;
    if (silentNs < half) return;
    if (peer.channel.unacknowledged === 0) return this.owner.ask(peer);
    if (silentNs < this.boundNs || now - peer.askedAt < half) return;
    this.silentSince = peer.lastHeardAt;
    this.owner.silent(silentNs);
    this.endpoint.hangUp(peer, 'PEER_SILENT', now);
  }
}

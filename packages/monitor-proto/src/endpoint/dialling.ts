import type { ErrorName } from '../errors.ts';
import type { LinkId, Nanos } from '../ids.ts';
import { limit } from '../limits.ts';
import type { TimerQueue } from '../timer-queue.ts';
import type { LinkState } from './link-state.ts';
import type { Peer } from './peer.ts';

const REDIAL_MIN = limit('redialMinNs');
const REDIAL_MAX = limit('redialMaxNs');
const REDIAL_OVER_MAX = limit('redialOverMaxNs');
/** Errors that say that one of the two instances is over, so that redialling is not urgent. */
const OVER: ReadonlySet<ErrorName> = new Set<ErrorName>(['WRONG_INCARNATION', 'WRONG_PEER', 'PEER_GONE']);
/** Short pauses for a peer that is opening a link itself: about a second and a quarter in all. */
const PATIENT_ATTEMPTS = 8;
const MOST_DOUBLINGS = 16;

/**
 * Decides when an end opens a link: at the end of the step that first wants one, then again after growing pauses (E2).
 */
export class Dialling {
  private wanted: Peer[] = [];

  constructor(
    private readonly timers: TimerQueue,
    private readonly dial: (peer: Peer, now: Nanos) => void,
    private readonly links: ReadonlyMap<LinkId, LinkState>,
  ) {}

  /** A message waits for the peer: opens a link, unless one is open, opening, or waiting for its next attempt. */
  want(peer: Peer): void {
    if (isLinked(peer) || peer.redial !== null || peer.wanted || peer.dial === null) return;
    peer.wanted = true;
    this.wanted.push(peer);
  }

  openWanted(now: Nanos): void {
    if (this.wanted.length === 0) return;
    for (const peer of this.wanted.splice(0)) {
      peer.wanted = false;
      this.attempt(peer, now);
    }
  }

  /**
   * Retries after a pause: the longest usual one if nobody answered for a whole handshake's time, and a longer one if a
   * peer says that this instance or the dialled one is over.
   */
  later(peer: Peer, now: Nanos, error: ErrorName | null = null): void {
    if (peer.dial === null || peer.gone) return;
    if (error === 'HANDSHAKE_TIMEOUT') peer.dialAttempts = Math.max(peer.dialAttempts, MOST_DOUBLINGS);
    const most = error !== null && OVER.has(error) ? REDIAL_OVER_MAX : REDIAL_MAX;
    const pause = Math.min(most, REDIAL_MIN * 2 ** Math.min(peer.dialAttempts, MOST_DOUBLINGS));
    this.timers.cancel(peer.redial);
    peer.redial = this.timers.set(now + pause, this.again, peer);
  }

  /** Stops dialling: a link is open, or the peer is gone. */
  settle(peer: Peer): void {
    this.timers.cancel(peer.redial);
    peer.redial = null;
  }

  private readonly again = (now: Nanos, peer: Peer): void => {
    peer.redial = null;
    this.attempt(peer, now);
  };

  private attempt(peer: Peer, now: Nanos): void {
    if (peer.dial === null || peer.gone || isLinked(peer)) return;
    if (peer.dialAttempts >= PATIENT_ATTEMPTS || !this.isGreetedBy(peer)) return this.dial(peer, now);
    peer.dialAttempts += 1;
    this.later(peer, now);
  }

  /** Whether someone who claims to be this peer is opening a link right now, which may make ours needless. */
  private isGreetedBy(peer: Peer): boolean {
    for (const { phase, handshake } of this.links.values())
      if (phase === 'answered' && handshake?.hello?.from.instance === peer.instance) return true;
    return false;
  }
}

function isLinked(peer: Peer): boolean {
  return peer.link !== 0 || peer.pendingLink !== 0;
}

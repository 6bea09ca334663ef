import { type Nanos, SECOND } from '../ids.ts';
import { limit } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import type { Peer } from './peer.ts';

/*
 * A heartbeat is a frame of acks and nothing else: it tells that the sender runs, is worth no repetition and asks for no
 * ack. All processes of a host beat at the same moments of their host's clock, so that each is woken once for everybody's
 * heartbeats and not once for each: a process that wakes runs cold, and that costs more than the frame.
 */

/** Pause between two heartbeats on a link: whole seconds, and so many that a process stays within its heartbeats a second. */
export function heartbeatInterval(peers: number): Nanos {
  const shortest = limit('heartbeatIntervalNs');
  return Math.max(shortest, Math.ceil(peers / limit('heartbeatsPerSecond')) * SECOND);
}

/** When to beat next: strictly after `now`; `hostClockNs` is what the host's monotonic clock read at time 0. */
export function nextHeartbeat(now: Nanos, interval: Nanos, hostClockNs: Nanos): Nanos {
  return now + interval - ((now + hostClockNs) % interval);
}

/** Timers fire late by a few milliseconds, and not always by the same: the last beat may lie a little less than an interval back. */
const SILENT = 0.9;

/** Beats on every link that has been silent for an interval. */
export function beatOnSilentLinks(endpoint: Endpoint, interval: Nanos, now: Nanos): void {
  for (const peer of endpoint.peers.values()) beatIfSilent(endpoint, peer, interval, now);
}

/** Beats on a peer's open link if it has been silent for an interval. */
export function beatIfSilent(endpoint: Endpoint, peer: Peer, interval: Nanos, now: Nanos): void {
  if (peer.link !== 0 && now - peer.lastSentAt >= SILENT * interval) endpoint.beat(peer);
}

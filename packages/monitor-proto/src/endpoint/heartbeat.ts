/*
 * A heartbeat is a frame of acks alone: it shows that the sender runs, and is neither repeated nor acknowledged. All
 * processes of a host beat at the same moments of the host's clock, so that each wakes once for all its heartbeats: a
 * process that wakes runs with cold caches, which costs more than the frame.
 */
import { type Nanos, SECOND } from '../ids.ts';
import { limit } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import type { Peer } from './peer.ts';

/**
 * Pause between two heartbeats on a link: whole seconds, long enough to keep a process within its heartbeats per
 * second.
 */
export function heartbeatInterval(peers: number): Nanos {
  const shortest = limit('heartbeatIntervalNs');
  return Math.max(shortest, Math.ceil(peers / limit('heartbeatsPerSecond')) * SECOND);
}

/** When to beat next: strictly after `now`; `hostClockNs` is the reading of the host's monotonic clock at time 0. */
export function nextHeartbeat(now: Nanos, interval: Nanos, hostClockNs: Nanos): Nanos {
  return now + interval - ((now + hostClockNs) % interval);
}

/** Timers fire a few milliseconds late, and unevenly: the last beat may lie a little less than an interval back. */
const SILENT = 0.9;

/** Beats on every link that has been silent for an interval. */
export function beatOnSilentLinks(endpoint: Endpoint, interval: Nanos, now: Nanos): void {
  for (const peer of endpoint.peers.values()) beatIfSilent(endpoint, peer, interval, now);
}

/** Beats on a peer's open link if it has been silent for an interval. */
export function beatIfSilent(endpoint: Endpoint, peer: Peer, interval: Nanos, now: Nanos): void {
  if (peer.link !== 0 && now - peer.lastSentAt >= SILENT * interval) endpoint.beat(peer);
}

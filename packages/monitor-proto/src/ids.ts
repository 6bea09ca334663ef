/**
 * Ids on the wire: plain numbers where messages carry millions of them, strings where people read them; branded, so
 * that one kind does not pass for another.
 */

declare const brand: unique symbol;

/**
 * A number or string of one kind. The brand exists for the compiler alone and is optional: literals, arithmetic and
 * decoded fields need no cast, but a core passes neither for a domain nor for a time (decision 0112).
 */
type Branded<T extends number | string, Kind extends string> = T & { readonly [brand]?: Kind };

/** A core's number, 0 … MAX_CORES − 1. */
export type CoreId = Branded<number, 'core'>;
/**
 * Anyone who can hold a link: a core (its CoreId), the SKB (SKB_PEER) or a client of the SKB (CLIENT_PEER_BASE + n).
 */
export type PeerId = Branded<number, 'core' | 'peer'>;
/** One life of a core: 1 at its first boot, one more at each restart. The registry assigns it. */
export type Incarnation = Branded<number, 'incarnation'>;
/** Random name of one process, 32 hex digits: tells two claimants of one core id apart. */
export type InstanceId = Branded<string, 'instance'>;
/** A link (one socket) as its own end numbers it. Odd: opened by this end; even: accepted. */
export type LinkId = Branded<number, 'link'>;
/** A global operation: `core.incarnation.n`, the same on every core that it touches. */
export type OperationId = Branded<string, 'operation'>;
/** A cspace on one core and its holder, numbered by that core. */
export type DomainId = Branded<number, 'domain'>;
/** Time in nanoseconds since the process (or the simulation) began; monotonic, a safe integer for 104 days. */
export type Nanos = Branded<number, 'nanos'>;

/** The SKB's own place in the id space: above every core. */
export const SKB_PEER: PeerId = 65_535;
/** The id in the hello of a core that has none yet. */
export const NO_CORE = 65_534;
/** The first id of the SKB's clients. */
export const CLIENT_PEER_BASE = 65_536;

export const MICROSECOND: Nanos = 1_000;
export const MILLISECOND: Nanos = 1_000_000;
export const SECOND: Nanos = 1_000_000_000;

/** Whether a peer is a core that has an id. */
export function isCore(peer: PeerId): peer is CoreId {
  return peer >= 0 && peer < NO_CORE;
}

/** The peer as prose calls it: “core 3”, “peer skb”. */
export function peerTitle(peer: PeerId): string {
  return isCore(peer) ? `core ${peer}` : `peer ${peerName(peer)}`;
}

/** The peer as logs name it: a core's number, "skb", or "client-n". */
export function peerName(peer: PeerId): number | string {
  if (peer < NO_CORE) return peer;
  if (peer === SKB_PEER) return 'skb';
  return peer === NO_CORE ? 'unregistered' : `client-${peer - CLIENT_PEER_BASE}`;
}

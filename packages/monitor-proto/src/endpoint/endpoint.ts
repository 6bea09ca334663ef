/*
 * One process's end of all its links: handshakes, one URPC channel per peer instance, redialling. Pure: takes link
 * events and frames, puts effects into its outbox.
 *
 * Guarantees: a message reaches the owner only from a peer that proved the cluster's secret and that the owner
 * admitted, exactly once and in order per lane (U1–U3);
 *   E1  an invalid frame closes its link and changes nothing else: no lane moves, none of its messages is delivered,
 *       and the peer's next link brings what was valid in it;
 *   E2  the first message to a peer opens a link, and messages wait in order until it is open. When both ends open one
 *       at the same time, the lower id's link survives.
 */
import { known } from '../assert.ts';
import { faultInReason } from '../certificate-errors.ts';
import type { ErrorName } from '../errors.ts';
import type { CertifiedNames } from '../handshake/certified.ts';
import { type Incarnation, type InstanceId, type LinkId, type Nanos, NO_CORE, type PeerId } from '../ids.ts';
import { limit } from '../limits.ts';
import { codecOf, codecOfValid, type WireMessage } from '../messages/codec.ts';
import type { Message } from '../messages/table.ts';
import type { EffectSink } from '../outbox.ts';
import { TimerQueue } from '../timer-queue.ts';
import { decodeFrame } from '../urpc/frame-codec.ts';
import { type DataFrame, FRAME, type HandshakeFrame, type Identity, type VolleyFrame } from '../urpc/frames.ts';
import { Dialling } from './dialling.ts';
import { Greeter, type HandshakeConfig } from './greeter.ts';
import { claimedPeer, type LinkState } from './link-state.ts';
import { faultInMessages } from './message-faults.ts';
import { MessageTrace } from './message-trace.ts';
import { Outgoing } from './outgoing.ts';
import { type EndpointCounters, type EndpointOwner, noCounts } from './owner.ts';
import type { Peer } from './peer.ts';
import { PeerBook } from './peer-book.ts';
import { isRejectionTold, Refusals } from './refusals.ts';

export class Endpoint {
  readonly timers = new TimerQueue();
  readonly counters: EndpointCounters = noCounts();
  /** Counts messages sent and delivered by type, for metrics. */
  readonly trace: MessageTrace;
  private readonly book = new PeerBook();
  /** By id. */
  readonly peers: ReadonlyMap<PeerId, Peer> = this.book.byId;
  private readonly links = new Map<LinkId, LinkState>();
  private readonly greeter: Greeter;
  private readonly dialling: Dialling;
  private readonly outgoing: Outgoing;
  private readonly refusals: Refusals;
  private nextLink: LinkId = 1;
  private self: PeerId;

  constructor(
    config: HandshakeConfig,
    private readonly owner: EndpointOwner,
    private readonly outbox: EffectSink,
  ) {
    this.self = config.peer;
    this.refusals = new Refusals(outbox);
    this.trace = new MessageTrace(outbox, config.instance);
    this.outgoing = new Outgoing(outbox, this.timers, this.counters);
    this.dialling = new Dialling(this.timers, (peer, now) => this.dial(peer, now), this.links);
    this.greeter = new Greeter(config, outbox, this.timers, {
      admit: (from, dialled) => owner.admit(from, dialled),
      crosses: (from) => this.crosses(from),
      knownInstance: (instance) => this.book.ofInstance(instance) ?? null,
      open: (link, from, marks, now) => this.open(link, from, marks, now),
      refuse: (link, error, text, now) => this.refuse(link, error, text, now),
      refused: (link, error, text, now) => this.wasRefused(link, error, text, now),
    });
  }

  /** Sets this end's identity once the registry has assigned it. */
  setIdentity(peer: PeerId, incarnation: Incarnation): void {
    this.self = peer;
    this.greeter.setIdentity(peer, incarnation);
  }

  /** Adds a peer, dials it now, and keeps dialling until `forget`. */
  connect(id: PeerId, incarnation: Incarnation, instance: InstanceId, address: string, now: Nanos): Peer {
    const peer = this.know(id, incarnation, instance, address);
    if (peer.link === 0 && peer.pendingLink === 0) this.dial(peer, now);
    return peer;
  }

  /** Adds a peer that either end dials when it first has something to say (E2). */
  know(id: PeerId, incarnation: Incarnation, instance: InstanceId, address: string): Peer {
    const peer = this.expect(id, incarnation, instance);
    peer.dial = address;
    return peer;
  }

  /** Opens a link to the peer if there is none, as the first message would. */
  want(peer: Peer): void {
    if (!peer.gone) this.dialling.want(peer);
  }

  /** Adds a peer that opens links to us. */
  expect(id: PeerId, incarnation: Incarnation, instance: InstanceId): Peer {
    return this.book.expect(id, incarnation, instance);
  }

  /** Assigns an id to a peer that came without one. */
  rename(peer: Peer, id: PeerId, incarnation: Incarnation): void {
    this.book.rename(peer, id, incarnation);
    if (peer.link !== 0) this.outbox.push({ type: 'link_bound', link: peer.link, peer: id });
  }

  /** The peer's instance is over: ends its link, drops its channel and tells the owner. */
  forget(peer: Peer, cause: string, now: Nanos): void {
    if (peer.gone) return;
    peer.gone = true;
    peer.dial = null;
    this.refusals.forget(peer.id);
    this.timers.cancel(peer.timer);
    this.dialling.settle(peer);
    this.book.remove(peer);
    for (const id of [peer.link, peer.pendingLink]) if (id !== 0) this.drop(id, cause);
    peer.link = 0;
    peer.pendingLink = 0;
    this.outbox.log('peer_gone', {
      peer: peer.id,
      peer_incarnation: peer.incarnation,
      instance: peer.instance.slice(0, 8),
      cause,
      lost: peer.channel.unacknowledged,
    });
    this.owner.peerGone(peer, cause, now);
  }

  /**
   * Queues a message. Returns null, or BUSY or PEER_UNKNOWN when the message was not taken. A peer dialled by address
   * alone is unknown until it has named its instance: messages for an earlier instance must not reach it.
   */
  send(id: PeerId, message: Message): 'BUSY' | 'PEER_UNKNOWN' | null {
    const peer = this.peers.get(id);
    if (peer === undefined || peer.instance === '') return 'PEER_UNKNOWN';
    return this.sendTo(peer, message) ? null : 'BUSY';
  }

  sendTo(peer: Peer, message: Message): boolean {
    const codec = codecOf(message.type);
    if (peer.gone || peer.instance === '' || !peer.channel.send(message, codec)) return false;
    this.trace.sent(peer, message, codec);
    if (peer.link === 0) this.want(peer);
    this.outgoing.touch(peer);
    return true;
  }

  /** Sends a frame that measures the link, ahead of everything queued; does nothing while no link is open. */
  volley(peer: Peer, volley: VolleyFrame, now: Nanos): void {
    if (peer.link !== 0) this.outgoing.sendFrame(peer, volley, now);
  }

  /** Sends a frame as a sign of life, even with nothing to say. The peer's link must be open. */
  beat(peer: Peer): void {
    peer.channel.owe();
    this.outgoing.touch(peer);
  }

  /** Ends the open link to a peer as the network might; opens another if that is our part. `reason` goes to the log. */
  hangUp(peer: Peer, reason: string, now: Nanos): void {
    const link = known(this.links.get(peer.link), 'an open link');
    this.drop(link.id, reason);
    this.lost(peer, link, reason, now);
  }

  /** Accepts a link that someone opened. `first`: its first frame; `names`: whom TLS has proved it may be. */
  linkUp(id: LinkId, first: Uint8Array | null, now: Nanos, names: CertifiedNames | null = null): void {
    if (this.links.size >= limit('maxPendingLinks') + this.peers.size) return this.closeLink(id, 'TOO_MANY_LINKS');
    this.links.set(id, this.greeter.accept(id, names, now));
    if (first !== null) this.frameReceived(id, first, now);
  }

  linkDown(id: LinkId, reason: string, now: Nanos): void {
    const link = this.links.get(id);
    if (!link) return;
    this.release(link);
    const { peer } = link;
    if (peer === null) return;
    const fault = faultInReason(reason);
    if (fault !== null) this.refusals.tell(peer.id, id, fault.error, fault.text, fault.ours);
    if (peer.pendingLink === id) {
      peer.pendingLink = 0;
      const { error, text } = fault ?? { error: null, text: reason };
      this.dialFailed(peer, error, text, now);
    } else if (peer.link === id) {
      this.lost(peer, link, reason, now);
    }
  }

  frameReceived(id: LinkId, bytes: Uint8Array, now: Nanos): void {
    const link = this.links.get(id);
    if (!link) return;
    const frame = decodeFrame(bytes);
    if (typeof frame === 'string')
      return this.reject(link, bytes.length > limit('maxFrameBytes') ? 'FRAME_TOO_LARGE' : 'BAD_FRAME', frame, now);
    if (frame.kind === FRAME.data) this.dataFrame(link, frame, now);
    else if (frame.kind === FRAME.volley) this.volleyFrame(link, frame, now);
    else this.handshakeFrame(link, frame, now);
  }

  /** Runs timers, then turns everything queued into frames. Returns when to call it again. */
  flush(now: Nanos): Nanos {
    for (let round = 0; round < 3; round++) {
      this.timers.expire(now);
      this.dialling.openWanted(now);
      this.outgoing.flush(now);
      if (this.timers.next > now) break;
    }
    return this.timers.next;
  }

  /** Ends every link, for a process that stops. */
  closeAll(reason: string): void {
    for (const id of [...this.links.keys()]) this.drop(id, reason);
  }

  /** Whose frames a link carries, once the handshake allows it; null: ignore the frame. */
  private speaker(link: LinkState, now: Nanos): Peer | null {
    const { peer } = link;
    if (link.phase === 'answered' || link.phase === 'greeting') return null; // overtook its handshake on a reordering link
    if (peer !== null && link.phase !== 'waiting') return peer;
    this.reject(link, 'OUT_OF_PLACE', 'data before the handshake', now);
    return null;
  }

  /** A valid frame came: the peer lives, and has accepted our proof. */
  private heard(link: LinkState, peer: Peer, now: Nanos): void {
    if (link.phase === 'proving') this.greeter.settled(link);
    peer.lastHeardAt = now;
  }

  private volleyFrame(link: LinkState, frame: VolleyFrame, now: Nanos): void {
    const peer = this.speaker(link, now);
    if (peer === null) return;
    this.heard(link, peer, now);
    this.owner.volley(peer, frame, now);
  }

  /** E1: the whole frame is validated before any of it counts. */
  private dataFrame(link: LinkState, frame: DataFrame, now: Nanos): void {
    const peer = this.speaker(link, now);
    if (peer === null) return;
    const fault = faultInMessages(frame.batches);
    if (fault !== null) return this.reject(link, 'BAD_FRAME', fault, now);
    const violation = peer.channel.violation(frame);
    if (violation !== null) return this.reject(link, 'OUT_OF_PLACE', violation, now);
    this.heard(link, peer, now);
    if (frame.lamport > this.outbox.lamport) this.outbox.lamport = frame.lamport;
    const { messages, sendable, doubled } = peer.channel.receive(frame, now);
    this.counters.framesReceived += 1;
    this.counters.doubled += doubled;
    for (let i = 0; i < messages.length; i++) this.deliver(peer, known(messages[i]), now);
    if (sendable) this.owner.sendable(peer, now);
    this.outgoing.answer(peer, frame);
  }

  private deliver(peer: Peer, wire: WireMessage, now: Nanos): void {
    const codec = codecOfValid(wire);
    const message = codec.decode(wire);
    this.trace.delivered(peer, message, codec);
    this.owner.message(peer, message, now);
  }

  private handshakeFrame(link: LinkState, frame: HandshakeFrame, now: Nanos): void {
    const fault = this.greeter.receive(link, frame, now);
    if (fault !== null) this.reject(link, 'OUT_OF_PLACE', fault, now);
  }

  /** The handshake of a link is complete: both ends have proved themselves. */
  private open(link: LinkState, from: Identity, marks: readonly [number, number, number], now: Nanos): void {
    const peer = link.peer ?? this.book.introduced(from);
    this.book.named(peer, from.instance);
    link.peer = peer;
    peer.certified = link.names;
    // Of two links opened at the same time, the other is no longer needed (E2).
    for (const other of [peer.link, peer.pendingLink])
      if (other !== 0 && other !== link.id) this.drop(other, 'SUPERSEDED');
    this.dialling.settle(peer);
    peer.pendingLink = 0;
    peer.link = link.id;
    peer.dialAttempts = 0;
    peer.lastHeardAt = now;
    if (!peer.channel.resume(marks, now)) return this.forget(peer, 'it lost its channel', now);
    this.counters.linksOpened += 1;
    this.refusals.forget(peer.id);
    const first = !peer.met;
    peer.met = true;
    this.outbox.push({ type: 'link_bound', link: link.id, peer: peer.id });
    this.outbox.log('link_opened', { peer: peer.id, link: link.id, dialled: link.dialled, resumed: !first });
    this.outgoing.touch(peer);
    this.owner.peerUp(peer, first, now);
  }

  private refuse(link: LinkState, error: ErrorName, text: string, now: Nanos): void {
    if (error === 'LINK_CROSSED') return this.end(link, error, text, now); // normal: the other link goes on
    this.counters.linksRefused += 1;
    this.refusals.tell(claimedPeer(link) ?? NO_CORE, link.id, error, text, true);
    this.end(link, error, text, now);
  }

  private wasRefused(link: LinkState, error: ErrorName, text: string, now: Nanos): void {
    if (error === 'LINK_CROSSED') return this.end(link, error, text, now);
    this.refusals.tell(claimedPeer(link) ?? NO_CORE, link.id, error, text, false);
    this.end(link, error, text, now);
  }

  private reject(link: LinkState, error: ErrorName, text: string, now: Nanos): void {
    this.counters.framesRejected += 1;
    const { peer } = link;
    const count = peer === null ? this.counters.framesRejected : (peer.rejected += 1);
    if (isRejectionTold(count))
      this.outbox.log('frame_rejected', { peer: claimedPeer(link) ?? NO_CORE, link: link.id, error, text });
    if (peer !== null && link.phase !== 'greeting') this.owner.misbehaved?.(peer, error, text, now);
    this.end(link, error, text, now);
  }

  /** Closes a link after a protocol error; redials later if that is our part. */
  private end(link: LinkState, error: ErrorName, text: string, now: Nanos): void {
    const { peer } = link;
    this.drop(link.id, error);
    if (peer === null) return;
    if (peer.pendingLink === link.id) {
      peer.pendingLink = 0;
      this.dialFailed(peer, error, text, now);
    } else if (peer.link === link.id) this.lost(peer, link, error, now);
  }

  private lost(peer: Peer, link: LinkState, reason: string, now: Nanos): void {
    peer.link = 0;
    this.outbox.log('link_closed', { peer: peer.id, link: link.id, cause: reason });
    this.owner.peerDown(peer, reason, now);
    // Whoever opened the link reopens it; the other end redials only if messages wait.
    if (link.dialled || peer.channel.unacknowledged > 0) this.dialling.later(peer, now);
  }

  private dialFailed(peer: Peer, error: ErrorName | null, text: string, now: Nanos): void {
    if (peer.link !== 0) return;
    if (error === 'LINK_CROSSED' || this.owner.dialFailed(peer, error, text, now))
      this.dialling.later(peer, now, error);
    else if (!peer.gone) peer.dial = null; // another instance answers there
  }

  /**
   * Whether both ends are opening a link and ours goes on, because our id is lower (E2). One whose proof is unanswered
   * counts as opening: the peer may have dialled before it took the proof.
   */
  private crosses(from: Identity): boolean {
    const peer = this.book.ofInstance(from.instance);
    if (peer === undefined || this.self > from.peer) return false;
    return peer.pendingLink !== 0 || this.links.get(peer.link)?.phase === 'proving';
  }

  private dial(peer: Peer, now: Nanos): void {
    const id = this.nextLink;
    this.nextLink += 2;
    peer.pendingLink = id;
    peer.dialAttempts += 1;
    this.links.set(id, this.greeter.dialled(id, peer, now));
  }

  private drop(id: LinkId, reason: string): void {
    const link = this.links.get(id);
    if (link) this.release(link);
    this.closeLink(id, reason);
  }

  private release(link: LinkState): void {
    this.greeter.abandon(link);
    this.links.delete(link.id);
  }

  private closeLink(id: LinkId, reason: string): void {
    this.outbox.push({ type: 'close_link', link: id, reason });
  }
}

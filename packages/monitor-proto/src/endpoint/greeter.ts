/*
 * The handshake of a link: hello → welcome → prove; the hello travels with the opening of the link. Before either end
 * delivers a message, both prove that they know the cluster's secret, by an HMAC over both identities and both fresh
 * nonces, and say how far they have received, so that the channel resumes. Handshake frames may be lost, duplicated or
 * overtaken: each is repeated until answered, and a repeat is answered again.
 */
import { known } from '../assert.ts';
import { type ErrorName, errorOfCode, ERRORS } from '../errors.ts';
import { type CertifiedNames, maySpeakAs } from '../handshake/certified.ts';
import { type Hmac, NonceSource, proofOf, sameProof, type Transcript } from '../handshake/proof.ts';
import {
  type Incarnation,
  type InstanceId,
  type LinkId,
  MILLISECOND,
  type Nanos,
  NO_CORE,
  type PeerId,
  peerTitle,
} from '../ids.ts';
import { limit } from '../limits.ts';
import { PROTOCOL_VERSION } from '../messages/table.ts';
import type { EffectSink } from '../outbox.ts';
import type { TimerQueue } from '../timer-queue.ts';
import { encodeFrame } from '../urpc/frame-codec.ts';
import {
  FRAME,
  type HandshakeFrame,
  type HelloFrame,
  type Identity,
  type LaneMarks,
  type ProveFrame,
  type WelcomeFrame,
} from '../urpc/frames.ts';
import { claimedPeer, type Handshake, type LinkState } from './link-state.ts';
import type { Peer } from './peer.ts';

export interface HandshakeConfig {
  readonly cluster: string;
  readonly secret: Uint8Array;
  readonly instance: InstanceId;
  readonly peer: PeerId;
  readonly incarnation: Incarnation;
  readonly entropy: Uint8Array;
  readonly hmac: Hmac;
  /** A version other than this build's; only tests of the refusal set it. */
  readonly version?: number;
}

/** What the greeter needs of its endpoint. */
export interface GreeterOwner {
  admit(from: Identity, dialled: boolean): ErrorName | null;
  /** Whether a link that this end is opening to the same peer makes another one needless. */
  crosses(from: Identity): boolean;
  knownInstance(instance: InstanceId): Peer | null;
  open(link: LinkState, from: Identity, marks: LaneMarks, now: Nanos): void;
  refuse(link: LinkState, error: ErrorName, text: string, now: Nanos): void;
  refused(link: LinkState, error: ErrorName, text: string, now: Nanos): void;
}

const TIMEOUT = limit('handshakeTimeoutNs');
/**
 * Longer than a whole machine takes to boot on a few CPUs: resending frames that were not lost only lengthens the
 * queue.
 */
const REPEAT: Nanos = 1000 * MILLISECOND;
const NO_MARKS: LaneMarks = [0, 0, 0];
const NO_NONCE = new Uint8Array();

export class Greeter {
  private self: Identity;
  private readonly nonces: NonceSource;

  constructor(
    private readonly config: HandshakeConfig,
    private readonly sink: EffectSink,
    private readonly timers: TimerQueue,
    private readonly owner: GreeterOwner,
  ) {
    const { cluster, peer, incarnation, instance, version } = config;
    this.self = { version: version ?? PROTOCOL_VERSION, cluster, peer, incarnation, instance };
    this.nonces = new NonceSource(config.hmac, config.entropy);
  }

  setIdentity(peer: PeerId, incarnation: Incarnation): void {
    this.self = { ...this.self, peer, incarnation };
  }

  /** Starts the handshake of a link that we are about to open: its first frame is the hello. */
  dialled(id: LinkId, peer: Peer, now: Nanos): LinkState {
    const handshake = newHandshake(now);
    const link: LinkState = { id, dialled: true, phase: 'greeting', peer, names: null, handshake };
    const hello: HelloFrame = {
      kind: FRAME.hello,
      from: this.self,
      nonce: this.nonces.next(),
      knows: peer.instance,
      received: peer.channel.marks(),
    };
    const first = encodeFrame(hello);
    handshake.nonce = hello.nonce;
    handshake.hello = hello;
    this.sink.push({
      type: 'open_link',
      link: id,
      peer: peer.id,
      address: known(peer.dial, 'an address to dial'),
      first,
    });
    this.keepSaying(link, handshake, first, now);
    return link;
  }

  /** Starts the handshake of a link that somebody opened to us. */
  accept(id: LinkId, names: CertifiedNames | null, now: Nanos): LinkState {
    const handshake = newHandshake(now);
    const link: LinkState = { id, dialled: false, phase: 'waiting', peer: null, names, handshake };
    handshake.repeat = this.timers.set(now + REPEAT, this.sayAgain, link);
    return link;
  }

  /** Both ends have proved themselves: nothing needs resending, and the transcript can go. */
  settled(link: LinkState): void {
    link.phase = 'open';
    this.sink.push({ type: 'handshake_ended', link: link.id });
    this.abandon(link);
  }

  /** Drops the handshake's state and its repeat timer. */
  abandon(link: LinkState): void {
    if (link.handshake === null) return;
    this.timers.cancel(link.handshake.repeat);
    link.handshake = null;
  }

  /** Handles a handshake frame; returns how it broke the protocol, or null. */
  receive(link: LinkState, frame: HandshakeFrame, now: Nanos): string | null {
    switch (frame.kind) {
      case FRAME.hello:
        return link.dialled ? 'a hello from the end that was dialled' : this.onHello(link, frame, now);
      case FRAME.welcome:
        return link.dialled ? this.onWelcome(link, frame, now) : 'a welcome from the end that dialled';
      case FRAME.prove:
        return link.dialled ? 'a proof from the end that was dialled' : this.onProve(link, frame, now);
      case FRAME.refuse:
        this.owner.refused(link, errorOfCode(frame.code) ?? 'OUT_OF_PLACE', frame.text, now);
        return null;
    }
  }

  private onHello(link: LinkState, hello: HelloFrame, now: Nanos): string | null {
    if (link.phase === 'answered') this.sendAgain(link);
    if (link.phase !== 'waiting') return null;
    const handshake = known(link.handshake, 'the handshake of a link that waits');
    handshake.hello = hello;
    const error =
      this.check(hello.from, link) ??
      this.owner.admit(hello.from, false) ??
      (this.owner.crosses(hello.from) ? 'LINK_CROSSED' : null);
    if (error !== null) {
      this.refuse(link, error, now);
      return null;
    }
    const met = this.owner.knownInstance(hello.from.instance);
    const nonce = this.nonces.next();
    handshake.nonce = nonce;
    link.phase = 'answered';
    const proof = this.proof('acceptor', transcript(hello, this.self, nonce));
    const welcome: WelcomeFrame = {
      kind: FRAME.welcome,
      from: this.self,
      nonce,
      proof,
      knows: met ? hello.from.instance : '',
      received: met ? met.channel.marks() : NO_MARKS,
    };
    this.say(link, handshake, welcome, now);
    return null;
  }

  private onWelcome(link: LinkState, welcome: WelcomeFrame, now: Nanos): string | null {
    if (link.phase === 'proving') this.sendAgain(link);
    if (link.phase !== 'greeting') return null;
    const peer = known(link.peer, 'the peer of a link that was dialled');
    const handshake = known(link.handshake, 'the handshake of a link that greets');
    const said = transcript(known(handshake.hello, 'the hello that was said'), welcome.from, welcome.nonce);
    const error =
      this.check(welcome.from, link) ??
      (sameProof(welcome.proof, this.proof('acceptor', said)) ? null : 'WRONG_SECRET') ??
      (welcome.from.peer !== peer.id ? 'WRONG_PEER' : null) ??
      (peer.instance !== '' && peer.instance !== welcome.from.instance ? 'WRONG_INCARNATION' : null) ??
      this.owner.admit(welcome.from, true);
    if (error !== null) {
      this.refuse(link, error, now);
      return null;
    }
    link.phase = 'proving';
    handshake.hello = null; // not needed again: after the proof the dialler has nothing more to say
    handshake.nonce = NO_NONCE;
    this.say(link, handshake, { kind: FRAME.prove, proof: this.proof('dialler', said) }, now);
    this.owner.open(link, welcome.from, welcome.received, now);
    return null;
  }

  private onProve(link: LinkState, prove: ProveFrame, now: Nanos): string | null {
    if (link.phase === 'open') return null;
    if (link.phase !== 'answered') return 'a proof before the hello';
    const { hello: heard, nonce } = known(link.handshake, 'the handshake of a link that answered');
    const hello = known(heard, 'the hello that was answered');
    const proven = sameProof(prove.proof, this.proof('dialler', transcript(hello, this.self, nonce)));
    // Asks again: the instance may have been declared gone since its hello, and a late proof must not revive it.
    const error = proven ? this.owner.admit(hello.from, false) : 'WRONG_SECRET';
    if (error !== null) {
      this.refuse(link, error, now);
      return null;
    }
    this.settled(link);
    const resumes = hello.knows === this.self.instance;
    this.owner.open(link, hello.from, resumes ? hello.received : NO_MARKS, now);
    return null;
  }

  private check(from: Identity, { names }: LinkState): ErrorName | null {
    if (from.version !== this.self.version) return 'WRONG_VERSION';
    if (from.cluster !== this.self.cluster) return 'WRONG_CLUSTER';
    return maySpeakAs(names, from.peer) ? null : 'WRONG_CERTIFICATE';
  }

  private proof(side: 'dialler' | 'acceptor', said: Transcript): Uint8Array {
    return proofOf(this.config.hmac, this.config.secret, side, said);
  }

  private refuse(link: LinkState, error: ErrorName, now: Nanos): void {
    const text = this.refusalText(error, link);
    this.send(link, encodeFrame({ kind: FRAME.refuse, code: ERRORS[error].code, text }));
    this.owner.refuse(link, error, text, now);
  }

  private refusalText(error: ErrorName, link: LinkState): string {
    if (error === 'WRONG_VERSION') return `this end speaks version ${this.self.version} of the protocol`;
    if (error === 'WRONG_CLUSTER') return `this is cluster ${this.self.cluster}`;
    if (error === 'WRONG_CERTIFICATE')
      return `a certificate for ${link.names?.join(', ')} does not let its holder be ${peerTitle(claimedPeer(link) ?? NO_CORE)}`;
    return `${ERRORS[error].doc} (peer ${claimedPeer(link)})`.slice(0, 250);
  }

  private say(link: LinkState, handshake: Handshake, frame: HandshakeFrame, now: Nanos): void {
    const bytes = encodeFrame(frame);
    this.send(link, bytes);
    this.keepSaying(link, handshake, bytes, now);
  }

  /** Repeats a frame just sent until the other end answers. */
  private keepSaying(link: LinkState, handshake: Handshake, frame: Uint8Array, now: Nanos): void {
    handshake.lastFrame = frame;
    handshake.lookedAt = now;
    this.timers.cancel(handshake.repeat);
    handshake.repeat = this.timers.set(now + REPEAT, this.sayAgain, link);
  }

  /**
   * Gives the handshake up when its time is over, else repeats the last frame; an end that has said nothing yet has
   * none.
   */
  private readonly sayAgain = (now: Nanos, link: LinkState): void => {
    const handshake = known(link.handshake, 'the handshake of a link that is not open');
    if (this.isOver(handshake, now)) return this.timeout(now, link);
    this.sendAgain(link);
    handshake.repeat = this.timers.set(now + REPEAT, this.sayAgain, link);
  };

  /**
   * Whether the handshake has taken too long. A process that was not scheduled for a while sees its timers fire before
   * it reads what arrived meanwhile, so missed time does not count.
   */
  private isOver(handshake: Handshake, now: Nanos): boolean {
    const missed = now - handshake.lookedAt - REPEAT;
    handshake.lookedAt = now;
    if (missed > REPEAT / 4) handshake.deadline += missed;
    return now >= handshake.deadline;
  }

  private timeout(now: Nanos, link: LinkState): void {
    this.owner.refuse(link, 'HANDSHAKE_TIMEOUT', ERRORS.HANDSHAKE_TIMEOUT.doc, now);
  }

  private sendAgain(link: LinkState): void {
    const frame = link.handshake?.lastFrame ?? null;
    if (frame !== null) this.send(link, frame);
  }

  private send(link: LinkState, frame: Uint8Array): void {
    this.sink.push({ type: 'send_frame', link: link.id, peer: claimedPeer(link) ?? 0, frame });
  }
}

function newHandshake(now: Nanos): Handshake {
  return { nonce: NO_NONCE, hello: null, lastFrame: null, repeat: null, deadline: now + TIMEOUT, lookedAt: now };
}

function transcript(hello: HelloFrame, acceptor: Identity, acceptorNonce: Uint8Array): Transcript {
  return { dialler: hello.from, acceptor, diallerNonce: hello.nonce, acceptorNonce };
}

import { type ErrorName, errorOfCode, ERRORS } from '../errors.ts';
import { type Hmac, NonceSource, proofOf, sameProof, type Transcript } from '../handshake/proof.ts';
import { type Incarnation, type InstanceId, type LinkId, MILLISECOND, type Nanos, type PeerId } from '../ids.ts';
import { limit } from '../limits.ts';
import { PROTOCOL_VERSION } from '../messages/table.ts';
import type { EffectSink } from '../outbox.ts';
import type { TimerQueue } from '../timer-queue.ts';
import { encodeFrame } from '../urpc/frame-codec.ts';
import { FRAME, type Frame, type HelloFrame, type Identity, type LaneMarks, type ProveFrame, type WelcomeFrame } from '../urpc/frames.ts';
import type { LinkState } from './link-state.ts';
import type { Peer } from './peer.ts';

/*
 * The handshake of a link: hello → welcome → prove. Both ends prove that they know the cluster's secret, by an HMAC over
 * both identities and both fresh nonces, before either hands on a message; and they say how far they have received, so
 * that the channel resumes. Handshake frames may be lost, doubled or overtaken: each is repeated until it is answered, and
 * a repeated one is answered again.
 */

export interface HandshakeConfig {
  readonly cluster: string;
  readonly secret: Uint8Array;
  readonly instance: InstanceId;
  readonly peer: PeerId;
  readonly incarnation: Incarnation;
  readonly entropy: Uint8Array;
  readonly hmac: Hmac;
  /** Another version than this build's: only tests of the refusal say one. */
  readonly version?: number;
}

/** What the greeter needs of the endpoint that it serves. */
export interface GreeterOwner {
  admit(from: Identity, dialled: boolean): ErrorName | null;
  knownInstance(instance: InstanceId): Peer | null;
  open(link: LinkState, from: Identity, marks: LaneMarks, now: Nanos): void;
  refuse(link: LinkState, error: ErrorName, text: string, now: Nanos): void;
  refused(link: LinkState, error: ErrorName, text: string, now: Nanos): void;
}

const TIMEOUT = limit('handshakeTimeoutNs');
/** Long against a whole machine that boots on a few CPUs: a repeat that nothing was lost for makes the queue longer. */
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

  /** The state of a link that we are about to open. */
  dialled(id: LinkId, peer: Peer, now: Nanos): LinkState {
    return newLink(id, true, peer, 'opening', now);
  }

  /** The state of a link that somebody opened to us. */
  accept(id: LinkId, now: Nanos): LinkState {
    const link = newLink(id, false, null, 'waiting', now);
    link.repeat = this.timers.set(link.deadline, (at) => this.timeout(link, at));
    return link;
  }

  /** The link that we opened is up: says hello. */
  greet(link: LinkState, now: Nanos): void {
    const peer = link.peer!;
    link.nonce = this.nonces.next();
    link.phase = 'greeting';
    link.hello = { kind: FRAME.hello, from: this.self, nonce: link.nonce, knows: peer.instance, received: peer.channel.marks() };
    this.say(link, link.hello, now);
  }

  /** Both ends have proved themselves: nothing has to be repeated, and what was said need not be kept. */
  settled(link: LinkState): void {
    link.phase = 'open';
    this.timers.cancel(link.repeat);
    link.repeat = null;
    link.lastFrame = null;
    link.hello = null;
    link.nonce = NO_NONCE;
  }

  /** Takes in a handshake frame; a string says how it broke the protocol. */
  receive(link: LinkState, frame: Exclude<Frame, { kind: typeof FRAME.data | typeof FRAME.volley }>, now: Nanos): string | null {
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
    link.hello = hello;
    const error = this.check(hello.from) ?? this.owner.admit(hello.from, false);
    if (error !== null) {
      this.refuse(link, error, now);
      return null;
    }
    const known = this.owner.knownInstance(hello.from.instance);
    link.nonce = this.nonces.next();
    link.phase = 'answered';
    const proof = this.proof('acceptor', this.transcript(link, hello, this.self, link.nonce));
    const welcome: WelcomeFrame = { kind: FRAME.welcome, from: this.self, nonce: link.nonce, proof, knows: known ? hello.from.instance : '', received: known ? known.channel.marks() : NO_MARKS };
    this.say(link, welcome, now);
    return null;
  }

  private onWelcome(link: LinkState, welcome: WelcomeFrame, now: Nanos): string | null {
    if (link.phase === 'proving') this.sendAgain(link);
    if (link.phase !== 'greeting') return link.phase === 'opening' ? 'a welcome before the hello' : null;
    const peer = link.peer!;
    const transcript = this.transcript(link, link.hello!, welcome.from, welcome.nonce);
    const error =
      this.check(welcome.from) ??
      (sameProof(welcome.proof, this.proof('acceptor', transcript)) ? null : 'WRONG_SECRET') ??
      (welcome.from.peer !== peer.id ? 'WRONG_PEER' : null) ??
      (peer.instance !== '' && peer.instance !== welcome.from.instance ? 'WRONG_INCARNATION' : null) ??
      this.owner.admit(welcome.from, true);
    if (error !== null) {
      this.refuse(link, error, now);
      return null;
    }
    link.phase = 'proving';
    this.say(link, { kind: FRAME.prove, proof: this.proof('dialler', transcript) }, now);
    this.owner.open(link, welcome.from, welcome.received, now);
    return null;
  }

  private onProve(link: LinkState, prove: ProveFrame, now: Nanos): string | null {
    if (link.phase === 'open') return null;
    if (link.phase !== 'answered') return 'a proof before the hello';
    const hello = link.hello!;
    const transcript = this.transcript(link, hello, this.self, link.nonce);
    if (!sameProof(prove.proof, this.proof('dialler', transcript))) {
      this.refuse(link, 'WRONG_SECRET', now);
      return null;
    }
    this.settled(link);
    const resumes = hello.knows === this.self.instance;
    this.owner.open(link, hello.from, resumes ? hello.received : NO_MARKS, now);
    return null;
  }

  private check(from: Identity): ErrorName | null {
    if (from.version !== this.self.version) return 'WRONG_VERSION';
    return from.cluster === this.self.cluster ? null : 'WRONG_CLUSTER';
  }

  private transcript(link: LinkState, hello: HelloFrame, acceptor: Identity, acceptorNonce: Uint8Array): Transcript {
    return { dialler: hello.from, acceptor, diallerNonce: link.dialled ? link.nonce : hello.nonce, acceptorNonce };
  }

  private proof(side: 'dialler' | 'acceptor', transcript: Transcript): Uint8Array {
    return proofOf(this.config.hmac, this.config.secret, side, transcript);
  }

  private refuse(link: LinkState, error: ErrorName, now: Nanos): void {
    const text = this.refusalText(error, link);
    this.send(link, encodeFrame({ kind: FRAME.refuse, code: ERRORS[error].code, text }));
    this.owner.refuse(link, error, text, now);
  }

  private refusalText(error: ErrorName, link: LinkState): string {
    const from = link.hello?.from;
    if (error === 'WRONG_VERSION') return `this end speaks version ${this.self.version} of the protocol`;
    if (error === 'WRONG_CLUSTER') return `this is cluster ${this.self.cluster}`;
    return `${ERRORS[error].doc} (peer ${link.peer?.id ?? from?.peer})`.slice(0, 250);
  }

  private say(link: LinkState, frame: Frame, now: Nanos): void {
    link.lastFrame = encodeFrame(frame);
    this.sendAgain(link);
    this.timers.cancel(link.repeat);
    link.repeat = this.timers.set(now + REPEAT, (at) => this.sayAgain(link, at));
  }

  private sayAgain(link: LinkState, now: Nanos): void {
    if (now >= link.deadline) return this.timeout(link, now);
    this.sendAgain(link);
    link.repeat = this.timers.set(now + REPEAT, (at) => this.sayAgain(link, at));
  }

  private timeout(link: LinkState, now: Nanos): void {
    this.owner.refuse(link, 'HANDSHAKE_TIMEOUT', ERRORS.HANDSHAKE_TIMEOUT.doc, now);
  }

  private sendAgain(link: LinkState): void {
    if (link.lastFrame !== null) this.send(link, link.lastFrame);
  }

  private send(link: LinkState, frame: Uint8Array): void {
    this.sink.push({ type: 'send_frame', link: link.id, peer: link.peer?.id ?? link.hello?.from.peer ?? 0, frame });
  }
}

function newLink(id: LinkId, dialled: boolean, peer: Peer | null, phase: LinkState['phase'], now: Nanos): LinkState {
  return { id, dialled, phase, peer, nonce: NO_NONCE, hello: null, lastFrame: null, repeat: null, deadline: now + TIMEOUT };
}

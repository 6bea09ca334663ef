import { handlerFor } from '@mk/monitor-proto/handlers';
import { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { EndpointOwner } from '@mk/monitor-proto/endpoint/owner';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { SilenceWatch } from '@mk/monitor-proto/endpoint/silence-watch';
import { CERTIFICATE_ERROR_NAMES } from '@mk/monitor-proto/certificate-errors';
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import { CLIENT_PEER_BASE, type InstanceId, type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import { lostAfter, OVERRUN, Session } from '@mk/monitor-proto/knowledge/session';
import type { Message } from '@mk/monitor-proto/messages/table';
import { Outbox } from '@mk/monitor-proto/outbox';
import type { Effect, HostEvent, StateMachine } from '@mk/monitor-proto/step';

/** A client's identity, and its peer. */
export interface ClientConfig {
  readonly cluster: string;
  readonly secret: Uint8Array;
  readonly instance: InstanceId;
  readonly entropy: Uint8Array;
  readonly hmac: Hmac;
  /** host:port of the SKB. */
  readonly skb: string;
  /** How long the SKB may say nothing before its link is closed and reopened; absent: the limit `skbSilenceNs`. */
  readonly skbSilenceNs?: Nanos;
}

export type ClientEvent = HostEvent | { readonly type: 'client_send'; readonly messages: readonly Message[] };

export type ClientEffect =
  | Effect
  /**
   * The SKB answers. `fresh`: it knows nothing of us (first contact, its restart, or our session ended: `dropped`);
   * `abandoned`: nor its answers to our requests, if it performed them.
   */
  | { readonly type: 'skb_up'; readonly fresh: boolean; readonly dropped: boolean; readonly abandoned: boolean }
  /** What this client held as transient is gone, or must be assumed gone. */
  | { readonly type: 'skb_session_lost'; readonly text: string }
  /** Another session has begun over the same channel: triggers and subscriptions must be reinstalled. */
  | { readonly type: 'skb_session_begun' }
  /** The SKB will never admit this client. */
  | { readonly type: 'skb_refused'; readonly error: ErrorName; readonly text: string }
  | { readonly type: 'skb_said'; readonly message: Message }
  /** The link could not be opened, or ended; it is retried. */
  | { readonly type: 'skb_away'; readonly text: string };

const HOPELESS: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'WRONG_SECRET',
  'WRONG_VERSION',
  'WRONG_CLUSTER',
  'WRONG_PEER',
  ...CERTIFICATE_ERROR_NAMES,
]);

/**
 * A client's end of its channel to the SKB: a synchronous state machine like the kernel. The channel survives resets of
 * the link; after a restart of the SKB a new one begins under the same instance, and pending requests must be repeated.
 */
export class ClientMachine implements StateMachine<ClientEvent, ClientEffect>, EndpointOwner {
  readonly endpoint: Endpoint;
  private readonly outbox = new Outbox<ClientEffect>('off');
  private skb: Peer | null = null;
  /** Messages that a full channel refused, oldest first. */
  private backlog: Message[] = [];
  private timerAt: Nanos = Infinity;
  private ending = false;
  private readonly session: Session;
  private readonly watch: SilenceWatch;
  /** The instance of the SKB that we met last. */
  private metInstance: InstanceId = '';

  constructor(private readonly config: ClientConfig) {
    const { cluster, secret, instance, entropy, hmac } = config;
    this.endpoint = new Endpoint(
      { cluster, secret, instance, peer: CLIENT_PEER_BASE, incarnation: 1, entropy, hmac },
      this,
      this.outbox,
    );
    this.session = new Session(this.endpoint.timers, {
      send: (message) => this.send([message]),
      lost: (text) => this.outbox.push({ type: 'skb_session_lost', text }),
      begun: () => this.outbox.push({ type: 'skb_session_begun' }),
    });
    // Its sessions are renewed all the time, so there is always something to acknowledge.
    this.watch = new SilenceWatch(this.endpoint, {
      peer: () => this.skb,
      ask: () => undefined,
      silent: () => undefined,
      heard: () => undefined,
    });
    this.watch.boundNs = config.skbSilenceNs ?? this.watch.boundNs;
  }

  step(event: ClientEvent, now: Nanos): readonly ClientEffect[] {
    handlerFor(this.handlers, event.type)(event, now);
    const next = this.endpoint.flush(now);
    if (next < this.timerAt) {
      this.timerAt = next;
      this.outbox.push({ type: 'set_timer', at: next });
    }
    return this.outbox.take();
  }

  health(): { readonly ok: boolean } {
    return { ok: (this.skb?.link ?? 0) !== 0 };
  }

  metrics(): string {
    return '';
  }

  // What the endpoint asks and reports.

  admit(): ErrorName | null {
    return null;
  }

  peerUp(peer: Peer, first: boolean, now: Nanos): void {
    const gaveUp = first && peer.instance === this.metInstance;
    this.metInstance = peer.instance;
    const abandoned = first && (gaveUp || !this.session.alive);
    this.outbox.push({ type: 'skb_up', fresh: first, dropped: gaveUp, abandoned });
    this.session.up(first, gaveUp ? 'the SKB had dropped this client' : null, now);
  }

  peerDown(_peer: Peer, reason: string): void {
    this.outbox.push({ type: 'skb_away', text: reason });
  }

  /** The SKB's instance is over for us: begins a new channel. */
  peerGone(_peer: Peer, _cause: string, now: Nanos): void {
    this.backlog = [];
    if (!this.ending) this.dial(now);
  }

  dialFailed(peer: Peer, error: ErrorName | null, text: string, now: Nanos): boolean {
    if (error !== null && HOPELESS.has(error)) {
      this.outbox.push({ type: 'skb_refused', error, text });
      return false;
    }
    this.outbox.push({ type: 'skb_away', text });
    if (error !== 'WRONG_INCARNATION') return true;
    this.endpoint.timers.set(now, (at) => this.endpoint.forget(peer, 'the SKB was restarted', at));
    return false;
  }

  message(_peer: Peer, message: Message, now: Nanos): void {
    if (message.type === 'session_alive_reply') return this.session.renewed(message, now);
    if (message.type === 'session_lost') return this.session.given(lostAfter(message.silent_ms), now);
    if (message.type === 'session_overrun') return this.session.given(OVERRUN, now);
    this.outbox.push({ type: 'skb_said', message });
  }

  volley(): void {
    // Nobody measures the way to a client.
  }

  sendable(): void {
    const { backlog } = this;
    this.backlog = [];
    this.send(backlog);
  }

  private readonly handlers: {
    readonly [T in ClientEvent['type']]: (event: Extract<ClientEvent, { type: T }>, now: Nanos) => void;
  } = {
    start: (_event, now) => {
      this.watch.start(now);
      this.dial(now);
    },
    link_up: ({ link, first, names }, now) => this.endpoint.linkUp(link, first, now, names),
    link_down: ({ link, reason }, now) => this.endpoint.linkDown(link, reason, now),
    frame_received: ({ link, frame }, now) => this.endpoint.frameReceived(link, frame, now),
    timer_fired: () => {
      this.timerAt = Infinity;
    },
    control_request: () => undefined,
    client_send: ({ messages }) => this.send(messages),
    stop: (_event, now) => {
      this.ending = true;
      this.session.stop();
      this.send([{ type: 'client_leaves' }]);
      this.endpoint.flush(now);
      this.endpoint.closeAll('SHUTTING_DOWN');
      this.outbox.push({ type: 'halt', error: null });
    },
  };

  private dial(now: Nanos): void {
    this.skb = this.endpoint.connect(SKB_PEER, 0, '', this.config.skb, now);
  }

  /**
   * Nothing is sent before the SKB has met this instance: then the client repeats all open requests (`skb_up`, fresh).
   */
  private send(messages: readonly Message[]): void {
    if (this.skb?.met !== true) return;
    for (const message of messages) {
      if (this.backlog.length > 0 || !this.endpoint.sendTo(this.skb, message)) this.backlog.push(message);
    }
  }
}

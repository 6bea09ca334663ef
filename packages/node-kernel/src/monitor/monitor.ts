import type { ErrorName } from '@mk/monitor-proto/errors';
import { type Nanos, NO_CORE, SKB_PEER } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { EndpointOwner } from '@mk/monitor-proto/endpoint/owner';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Outbox } from '@mk/monitor-proto/outbox';
import type { Identity, VolleyFrame } from '@mk/monitor-proto/urpc/frames';
import type { KernelConfig } from '../config.ts';
import type { KernelEffect } from '../effects.ts';
import { MonitorContext } from './context.ts';
import type { ServiceTable } from './service-table.ts';

/**
 * This core towards the others: its identity, its end of every link, and the state that services share. The services
 * handle messages, links and peers. The CPU driver of the same core never sees a peer.
 */
export class Monitor implements EndpointOwner {
  readonly endpoint: Endpoint;
  readonly context: MonitorContext;

  /** `services` is used from the first event on, not before. */
  constructor(
    config: KernelConfig,
    readonly outbox: Outbox<KernelEffect>,
    private readonly services: () => ServiceTable,
  ) {
    const { cluster, secret, instance, entropy, hmac, version } = config;
    const own = { peer: NO_CORE, incarnation: 0, ...(version === undefined ? {} : { version }) };
    this.endpoint = new Endpoint({ cluster, secret, instance, entropy, hmac, ...own }, this, outbox);
    this.context = new MonitorContext(this.endpoint, outbox);
  }

  /** An error ends the process. */
  fail(error: ErrorName, text: string): void {
    this.outbox.log('process_failed', { error, text });
    this.endpoint.closeAll('SHUTTING_DOWN');
    this.outbox.push({ type: 'halt', error: `${error}: ${text}` });
  }

  // Callbacks of the endpoint.

  admit(from: Identity, dialled: boolean): ErrorName | null {
    return this.services().linkPolicy.admit(from, dialled);
  }

  dialFailed(peer: Peer, error: ErrorName | null, text: string, now: Nanos): boolean {
    return this.services().linkPolicy.dialFailed(peer, error, text, now);
  }

  peerUp(peer: Peer, first: boolean, now: Nanos): void {
    for (const service of this.services().told.peerUp) service.peerUp(peer, first, now);
  }

  /** The channel keeps undelivered messages; operations that cannot wait have their own deadlines. */
  peerDown(peer: Peer, reason: string, now: Nanos): void {
    for (const service of this.services().told.peerDown) service.peerDown(peer, reason, now);
  }

  peerGone(peer: Peer, _cause: string, now: Nanos): void {
    for (const service of this.services().told.peerGone) service.peerGone(peer, now);
  }

  message(peer: Peer, message: Message, now: Nanos): void {
    for (const service of this.services().told.screen) if (!service.screen(peer, message, now)) return;
    this.deliver(peer, message, now);
  }

  misbehaved(peer: Peer, error: ErrorName, text: string, now: Nanos): void {
    if (isCorePeer(peer))
      this.context.offences.note(peer.id, error === 'OUT_OF_PLACE' ? 'out_of_place' : 'bad_frame', text, now);
  }

  /** Hands a message to the service that handles it. */
  deliver(peer: Peer, message: Message, now: Nanos): void {
    const route = this.services().messages.get(message.type);
    if (route !== undefined && (peer.id === SKB_PEER ? route.fromSkb : route.fromCore))
      return route.handler(peer, message, now);
    const text = `${message.type} is not for this end`;
    this.outbox.log('frame_rejected', { peer: peer.id, link: peer.link, error: 'OUT_OF_PLACE', text });
    this.misbehaved(peer, 'OUT_OF_PLACE', text, now);
  }

  volley(peer: Peer, volley: VolleyFrame, now: Nanos): void {
    for (const service of this.services().told.volley) service.volley(peer, volley, now);
  }

  sendable(peer: Peer, now: Nanos): void {
    for (const service of this.services().told.sendable) service.sendable(peer, now);
  }
}

import type { ErrorName } from '@mk/monitor-proto/errors';
import { type CoreId, type Incarnation, isCore, type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import type { SilenceWatch } from '@mk/monitor-proto/endpoint/silence-watch';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import type { Identity } from '@mk/monitor-proto/urpc/frames';
import type { KernelConfig } from '../../config.ts';
import type { MonitorContext } from '../context.ts';
import type { LinkPolicy, MessageHandlers, Service } from '../service.ts';
import type { Member } from '../views/view.ts';
import { Join, type JoinHost } from './join.ts';
import { Liveness } from './liveness.ts';
import { silenceBoundOf, watchOverSkb } from './skb-watch.ts';

export interface MembershipHost extends JoinHost {
  /** An incarnation is certainly dead. */
  proofOfDeath(member: Member, now: Nanos): void;
}

/** Membership: registration, the mesh of monitors, which cores may have a link, are silent, or are gone. */
export class Membership implements Service {
  readonly join: Join;
  private readonly liveness: Liveness;
  private readonly skbWatch: SilenceWatch;
  /** Heartbeats, the look at the SKB, and the join's deadline in the first minute. */
  readonly standingTimers = 3;

  readonly messages = {
    register_reply: (_from, reply, now) => this.join.registered(reply, now),
    new_monitor_notify: (_from, { monitors, more }, now) => this.join.announced(monitors, more, now),
    bind_monitor_request: (_from, { monitors, more }, now) => this.join.bindTo(monitors, more, now),
    monitor_gone: (_from, { core, incarnation }, now) => this.declareGone(core, incarnation, now),
  } satisfies MessageHandlers;
  readonly linkPolicy: LinkPolicy = {
    admit: (from, dialled) => this.admit(from, dialled),
    dialFailed: (peer, error, text, now) =>
      peer.id === SKB_PEER ? this.join.skbFailed(error, text, now) : this.coreFailed(error),
  };

  constructor(
    private readonly context: MonitorContext,
    config: KernelConfig,
    private readonly host: MembershipHost,
  ) {
    this.join = new Join(context, config, host);
    this.liveness = new Liveness(context, (now) => this.join.booting(now), config.hostClockNs ?? 0);
    this.skbWatch = watchOverSkb(context, config.hostClockNs ?? 0);
  }

  registered(): void {
    this.skbWatch.boundNs = silenceBoundOf(this.context.settings) ?? this.skbWatch.boundNs;
  }

  start(now: Nanos): void {
    this.join.start(now);
    this.liveness.start(now);
    this.skbWatch.start(now);
  }

  peerUp(peer: Peer, first: boolean): void {
    if (peer.id !== SKB_PEER) return;
    this.skbWatch.up(this.context.now);
    this.join.skbUp(peer, first);
  }

  /** How long the SKB has been silent, if its link was closed for that; 0: it is heard. */
  get skbSilentNs(): Nanos {
    return this.skbWatch.silentNs(this.context.now);
  }

  viewChanged(now: Nanos): void {
    if (this.context.view > 0) this.join.takesPart(now);
  }

  peerGone(peer: Peer, now: Nanos): void {
    if (peer.id === SKB_PEER) this.join.skbGone(now);
    else if (isCorePeer(peer) && this.context.monitors.get(peer.id)?.instance === peer.instance)
      this.join.gone(peer.id);
  }

  invariants(): void {
    this.join.invariants();
  }

  status() {
    const { core, incarnation, view, members, registered, monitors } = this.context;
    const known = [...monitors.values()];
    return {
      core,
      incarnation,
      view,
      bound: known.length,
      members: members.length + (registered ? 1 : 0),
      suspected: known.filter((m) => m.suspected).map((m) => m.core),
      skb_silent_ms: Math.round(this.skbSilentNs / 1e6),
    };
  }

  metrics(): readonly MetricFamily[] {
    const { view, monitors } = this.context;
    const suspected = [...monitors.values()].filter((monitor) => monitor.suspected).length;
    return [
      { name: 'mk_view', type: 'gauge', help: 'Number of the agreed view.', samples: [{ value: view }] },
      {
        name: 'mk_peers_suspected',
        type: 'gauge',
        help: 'Members that this core has not heard from for too long.',
        samples: [{ value: suspected }],
      },
    ];
  }

  private admit(from: Identity, dialled: boolean): ErrorName | null {
    if (from.peer === SKB_PEER) return dialled ? null : 'WRONG_PEER';
    if (!this.context.registered) return 'NOT_A_MEMBER';
    const monitor = isCore(from.peer) ? this.context.monitors.get(from.peer) : undefined;
    if (isCore(from.peer) && this.join.hasGivenUp(from.peer, from.incarnation)) return 'PEER_GONE';
    if (monitor === undefined) return 'PEER_UNKNOWN';
    return monitor.instance === from.instance && monitor.incarnation === from.incarnation ? null : 'WRONG_INCARNATION';
  }

  /** Gives up an incarnation: ends its channel and tells every service. */
  giveUp({ core, incarnation }: Member, cause: string, now: Nanos): void {
    const { endpoint, monitors } = this.context;
    const peer = endpoint.peers.get(core);
    if (peer !== undefined && peer.incarnation === incarnation) endpoint.forget(peer, cause, now);
    else if (monitors.get(core)?.incarnation === incarnation) this.join.gone(core);
    this.join.noteGivenUp(core, incarnation);
  }

  /** The registry vouches that an incarnation will not return: nobody needs to wait for its lease. */
  private declareGone(core: CoreId, incarnation: Incarnation, now: Nanos): void {
    this.giveUp({ core, incarnation }, 'the registry declared it gone', now);
    this.host.proofOfDeath({ core, incarnation }, now);
  }

  /** Another core refused us: the view goes on without this incarnation, unless a lease says otherwise. */
  private coreFailed(error: ErrorName | null): boolean {
    if (error === 'PEER_GONE' && this.context.fenced)
      this.host.fail('PEER_GONE', 'the view goes on without this incarnation; a new one may take its place');
    // Either side may know an earlier incarnation of the other: both will hear of the change.
    return true;
  }
}

import type { ErrorName } from '@mk/monitor-proto/errors';
import { type CoreId, type Incarnation, type Nanos, NO_CORE, SKB_PEER } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { EndpointOwner } from '@mk/monitor-proto/endpoint/owner';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Outbox } from '@mk/monitor-proto/outbox';
import type { Identity, VolleyFrame } from '@mk/monitor-proto/urpc/frames';
import type { KernelConfig } from '../config.ts';
import type { CpuDriver } from '../cpu-driver/cpu-driver.ts';
import type { KernelEffect } from '../effects.ts';
import { onePhase, type RoundReport, type RoundSpec } from './agreement/one-phase.ts';
import { PlanBook, type PlanKind } from './agreement/plan.ts';
import { NOOP_ACTION, type RoundAction } from './agreement/round-actions.ts';
import { Rounds } from './agreement/rounds.ts';
import { twoPhase } from './agreement/two-phase.ts';
import { Capops } from './capops/capops.ts';
import { ClockSync } from './probes/clock.ts';
import { Rally } from './probes/rally.ts';
import { MonitorContext } from './context.ts';
import { Drift } from './probes/drift.ts';
import { Flood } from './probes/flood.ts';
import { HANDLING } from './handlers.ts';
import { Join } from './join/join.ts';
import { Knowledge } from './knowledge.ts';
import { Liveness } from './liveness.ts';
import { Measure } from './probes/measure.ts';
import type { Operation, Outcome } from './operations.ts';
import { OperationTimes } from './operation-times.ts';
import { Ping } from './probes/ping.ts';
import { Ring } from './probes/ring.ts';

/** Everything between cores: who is there, what they agree on. The CPU driver of the same core never sees a peer. */
export class Monitor implements EndpointOwner {
  readonly endpoint: Endpoint;
  readonly context: MonitorContext;
  readonly join: Join;
  readonly liveness: Liveness;
  readonly ping: Ping;
  readonly drift: Drift;
  readonly measure: Measure;
  readonly clock: ClockSync;
  readonly rally: Rally;
  readonly flood: Flood;
  readonly ring: Ring;
  readonly plans = new PlanBook();
  readonly rounds: Rounds;
  readonly capops: Capops;
  readonly knowledge: Knowledge;
  readonly operationTimes = new OperationTimes();

  constructor(
    config: KernelConfig,
    readonly outbox: Outbox<KernelEffect>,
    readonly cpuDriver: CpuDriver,
    actions: readonly RoundAction[] = [NOOP_ACTION],
  ) {
    const { cluster, secret, instance, entropy, hmac, version } = config;
    const handshake = {
      cluster,
      secret,
      instance,
      peer: NO_CORE,
      incarnation: 0,
      entropy,
      hmac,
      ...(version === undefined ? {} : { version }),
    };
    this.endpoint = new Endpoint(handshake, this, outbox);
    this.context = new MonitorContext(this.endpoint, outbox);
    this.join = new Join(this.context, config, (error, text) => this.fail(error, text));
    this.liveness = new Liveness(this.context, (now) => this.join.booting(now), config.hostClockNs ?? 0);
    this.ping = new Ping(this.context);
    this.knowledge = new Knowledge(this.context);
    // What the other end serves it may tell the SKB or not: what this end has told no longer counts.
    this.rally = new Rally(this.endpoint, (core) => this.drift.forget(core));
    this.drift = new Drift(this.context, this.rally);
    this.measure = new Measure(this.context, this.rally, this.drift);
    this.clock = new ClockSync(this.context);
    this.flood = new Flood(this.context);
    this.ring = new Ring(this.context);
    this.capops = new Capops(this.context, cpuDriver, this.plans);
    this.rounds = new Rounds(roundHostOf(this.context), [...actions, ...this.capops.roundActions]);
    this.capops.rounds = this.rounds;
  }

  /** The registry's answer: a core that has its number has its memory. */
  registered(reply: MessageOf<'register_reply'>, now: Nanos): void {
    this.join.registered(reply, now);
    if (this.context.registered) this.cpuDriver.boot(this.context.core, ramBytesOf(this.context.settings));
  }

  start(now: Nanos): void {
    this.join.start(now);
    this.liveness.start(now);
  }

  /** Runs an agreement round over the members of the view, this core included. */
  startRound(
    kind: PlanKind,
    phases: 1 | 2,
    action: RoundAction,
    payload: Uint8Array,
    now: Nanos,
    done: (outcome: Outcome<RoundReport>, now: Nanos) => void,
  ): void {
    const { context } = this;
    const op = context.operations.nextId();
    const plan = this.plans.planFor(kind, context.members);
    const spec: RoundSpec = { op, action, payload, plan, deadline: now + limit('operationDeadlineNs') };
    const cores = context.members.length + 1;
    context.outbox.log('round_started', { op, plan: kind, phases, cores });
    const operation: Operation<RoundReport> = phases === 1 ? onePhase(this.rounds, spec) : twoPhase(this.rounds, spec);
    context.operations.start(op, operation, now, (outcome, at) => {
      const messages = outcome.ok ? outcome.value.messages : 0;
      context.outbox.log('round_finished', {
        op,
        plan: kind,
        phases,
        cores,
        messages,
        elapsed_us: (at - now) / 1000,
        result: outcome.ok ? 'ok' : outcome.error,
      });
      this.operationTimes.observe(`round_${phases}`, at - now);
      done(outcome, at);
    });
  }

  installPlans(version: number, multicast: readonly number[], numa: readonly number[]): void {
    if (this.plans.install(version, this.context.core, multicast, numa))
      this.outbox.log('plan_installed', { plan: version });
  }

  declareGone(core: CoreId, incarnation: Incarnation, now: Nanos): void {
    const peer = this.endpoint.peers.get(core);
    if (peer !== undefined && peer.incarnation === incarnation)
      this.endpoint.forget(peer, 'the registry declared it gone', now);
    else if (this.context.monitors.get(core)?.incarnation === incarnation) this.join.gone(core);
  }

  // What the endpoint asks and tells.

  admit(from: Identity, dialled: boolean): ErrorName | null {
    if (from.peer === SKB_PEER) return dialled ? null : 'WRONG_PEER';
    if (!this.context.registered) return 'NOT_A_MEMBER';
    const monitor = this.context.monitors.get(from.peer);
    if (monitor === undefined) return 'PEER_UNKNOWN';
    return monitor.instance === from.instance && monitor.incarnation === from.incarnation ? null : 'WRONG_INCARNATION';
  }

  peerUp(peer: Peer, first: boolean, now: Nanos): void {
    if (peer.id === SKB_PEER) {
      this.join.skbUp(peer, first);
      if (first) this.knowledge.requests.restarted();
    } else if (first) this.join.linkUp(peer, now);
  }

  peerDown(): void {
    // The channel keeps what was not delivered; operations that cannot wait have their own deadlines.
  }

  peerGone(peer: Peer, _cause: string, now: Nanos): void {
    if (peer.id === SKB_PEER) return this.join.skbGone(now);
    if (this.context.monitors.get(peer.id)?.instance === peer.instance) this.join.gone(peer.id);
    this.drift.forget(peer.id);
    this.rounds.peerGone(peer.id, now);
    this.capops.peerGone(peer.id, peer.incarnation, now);
    this.ping.peerGone(peer.id, now);
    this.rally.peerGone(peer.id, now);
    this.flood.peerGone(peer.id, now);
  }

  dialFailed(peer: Peer, error: ErrorName | null, text: string, now: Nanos): boolean {
    if (peer.id === SKB_PEER) return this.join.skbFailed(error, text, now);
    return error !== 'WRONG_INCARNATION' && error !== 'WRONG_PEER';
  }

  message(peer: Peer, message: Message, now: Nanos): void {
    const handling = HANDLING.get(message.type);
    if (handling === undefined || !(peer.id === SKB_PEER ? handling.fromSkb : handling.fromCore)) {
      this.outbox.log('frame_rejected', {
        peer: peer.id,
        link: peer.link,
        error: 'OUT_OF_PLACE',
        text: `${message.type} is not for this end`,
      });
      return;
    }
    handling.handler(this, peer, message as never, now);
  }

  volley(peer: Peer, volley: VolleyFrame, now: Nanos): void {
    this.rally.onVolley(peer, volley, now);
  }

  sendable(peer: Peer, now: Nanos): void {
    this.flood.sendable(peer.id, now);
  }

  private fail(error: ErrorName, text: string): void {
    this.outbox.log('process_failed', { error, text });
    this.endpoint.closeAll('SHUTTING_DOWN');
    this.outbox.push({ type: 'halt', error: `${error}: ${text}` });
  }
}

function roundHostOf(context: MonitorContext): ConstructorParameters<typeof Rounds>[0] {
  return {
    get self() {
      return context.core;
    },
    get view() {
      return context.view;
    },
    sink: context.outbox,
    timers: context.timers,
    mayAsk: (core, ready) => {
      const monitor = context.monitors.get(core);
      return monitor !== undefined && monitor.bound && (monitor.ready || !ready);
    },
    send: (core, message) => context.send(core, message),
  };
}

/** How much memory a core brings, by the cluster's settings. */
function ramBytesOf(settings: string): number {
  const { ramBytes } = JSON.parse(settings) as { readonly ramBytes?: unknown };
  return Number.isSafeInteger(ramBytes) && (ramBytes as number) > 0 ? (ramBytes as number) : limit('ramBytesPerCore');
}

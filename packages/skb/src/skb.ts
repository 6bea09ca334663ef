import { handlerFor } from '@mk/monitor-proto/handlers';
import { isKeyOf } from '@mk/monitor-proto/tables';
import type { SkbAnswers } from './control/verb-answers.ts';
import { AssertionFailure } from '@mk/monitor-proto/assert';
import type { ErrorName } from '@mk/monitor-proto/errors';
import { type CoreId, isCore, MILLISECOND, type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { EndpointOwner } from '@mk/monitor-proto/endpoint/owner';
import { beatOnSilentLinks, heartbeatInterval, nextHeartbeat } from '@mk/monitor-proto/endpoint/heartbeat';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import { endpointMetrics } from '@mk/monitor-proto/endpoint/endpoint-metrics';
import { limit } from '@mk/monitor-proto/limits';
import { type MetricFamily, metricsText } from '@mk/monitor-proto/metrics';
import type { Message } from '@mk/monitor-proto/messages/table';
import { Outbox } from '@mk/monitor-proto/outbox';
import type { ControlReply, ControlRequest, StateMachine } from '@mk/monitor-proto/step';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import type { Identity } from '@mk/monitor-proto/urpc/frames';
import type { SkbConfig } from './config.ts';
import { VERBS } from './control/verbs.ts';
import type { SkbEffect, SkbEvent } from './effects.ts';
import { handleMessage, isForSkb, type SkbMessage } from './handlers.ts';
import { Knowledge } from './knowledge/knowledge.ts';
import { controlText, Poisoned, requestText } from './knowledge/poisoned.ts';
import { Registry } from './registry/registry.ts';
import type { SkbParts } from './skb-parts.ts';
import { Measurement } from './topology/measurement.ts';
import { relationsOf } from './topology/measuring-tasks.ts';
import { Plans } from './topology/plans.ts';

type Handlers = { readonly [T in SkbEvent['type']]: (event: Extract<SkbEvent, { type: T }>, now: Nanos) => void };

/** Pause between a complete mesh and the first measurement, in which cores finish booting. */
const SETTLE: Nanos = 200 * MILLISECOND;
/** Trees over hosts are replanned this long after the members last changed. */
const REPLAN_AFTER: Nanos = 500 * MILLISECOND;
const NOTHING_HOSTED = { engine: false, journal: false } as const;

/**
 * The system knowledge base: a synchronous state machine like the kernel, so that the simulator hosts it too. It holds
 * the registry, the topology service and Octopus; its host owns the Prolog engine and the journal, reached by effects.
 */
export class Skb implements StateMachine<SkbEvent, SkbEffect>, EndpointOwner, SkbParts {
  readonly outbox: Outbox<SkbEffect>;
  readonly endpoint: Endpoint;
  readonly registry: Registry;
  readonly measurement: Measurement;
  readonly plans: Plans;
  readonly knowledge: Knowledge;
  /** When the engine first answered; 0: it has not yet, or there is none. */
  engineReadyAt: Nanos = 0;
  /** Why the knowledge base lacks facts that it was given. */
  private factsMissing: string | null = null;
  private startedAt: Nanos = 0;
  private timerAt: Nanos = Infinity;
  private settling: Timer | null = null;
  private replanning: Timer | null = null;
  /** The registry's epoch that trees are, or will be, planned for. */
  private plannedEpoch = 0;
  private stopped = false;
  private current: Message | ControlRequest | null = null;
  private readonly poisoned: Poisoned;

  constructor(private readonly config: SkbConfig) {
    this.poisoned = config.poisoned ?? new Poisoned();
    const { cluster, secret, instance, entropy, hmac } = config;
    this.outbox = new Outbox<SkbEffect>(config.logLevel);
    this.endpoint = new Endpoint(
      { cluster, secret, instance, peer: SKB_PEER, incarnation: 1, entropy, hmac },
      this,
      this.outbox,
    );
    this.registry = new Registry(
      config,
      this.endpoint,
      this.outbox,
      (now) => this.meshComplete(now),
      (view) => this.outbox.push({ type: 'view_agreed', view }),
    );
    const latencyNs = (from: CoreId, to: CoreId): Nanos => config.machine.latencyNs(from, to);
    const measured = (): void => this.measured();
    const relationOf = relationsOf(this, config.machine);
    const { timers } = this.endpoint;
    this.measurement = new Measurement(this.registry, timers, this.outbox, measured, latencyNs, relationOf);
    this.plans = new Plans(
      config.machine,
      (core) => this.packageOf(core),
      relationOf,
      this.registry,
      this.measurement.trips,
      this.outbox,
    );
    this.knowledge = new Knowledge(
      config.knowledge ?? NOTHING_HOSTED,
      config.sessionTimeoutNs ?? limit('sessionTimeoutNs'),
      this.endpoint,
      this.registry,
      this.outbox,
      () => this.packagesAreHosts,
    );
    const { busyWith } = config;
    if (busyWith !== undefined)
      this.knowledge.octopus.busyWith = (message) => busyWith(message === null ? null : requestText(message));
  }

  step(event: SkbEvent, now: Nanos): readonly SkbEffect[] {
    if (this.stopped) return [];
    this.current = null;
    handlerFor(this.handlers, event.type)(event, now);
    if (!this.stopped) this.flush(now);
    return this.outbox.take();
  }

  /** Asserts what must hold between steps; the simulator calls it after each step. */
  invariants(): void {
    for (const { channel } of this.endpoint.peers.values()) channel.invariants();
    this.registry.invariants();
  }

  status(): SkbAnswers['status'] {
    return {
      cluster: this.config.cluster,
      members: this.registry.members.size,
      expected: this.config.expectedCores,
      links: this.registry.meshLinks,
      meshComplete: this.registry.meshComplete,
      measuring: this.measurement.running || this.settling !== null,
      plan: this.plans.version,
      records: this.knowledge.octopus.store.size,
      engineReadyMs: this.engineReadyAt === 0 ? null : this.engineReadyAt / 1e6,
      counters: this.endpoint.counters,
    };
  }

  /** Whether all expected cores are bound, acknowledged changes can be kept, and the facts are complete. */
  health(): { readonly ok: boolean; readonly [key: string]: unknown } {
    const { octopus } = this.knowledge;
    const facts = this.factsMissing === null ? {} : { facts: this.factsMissing };
    return {
      ok: this.registry.meshComplete && !octopus.hasFailed && this.factsMissing === null,
      core: 'skb',
      journal: octopus.journalState,
      members: this.registry.members.size,
      expected: this.config.expectedCores,
      ...facts,
    };
  }

  /** Prometheus text. */
  metrics(now: Nanos): string {
    const families: MetricFamily[] = [
      ...endpointMetrics(this.endpoint, now),
      {
        name: 'mk_members',
        type: 'gauge',
        help: 'Registered cores.',
        samples: [{ value: this.registry.members.size }],
      },
      {
        name: 'mk_mesh_links',
        type: 'gauge',
        help: 'Pairs of cores that know each other; a link opens on first use.',
        samples: [{ value: this.registry.meshLinks }],
      },
      {
        name: 'mk_plan_version',
        type: 'gauge',
        help: 'Version of the dissemination plans.',
        samples: [{ value: this.plans.version }],
      },
      {
        name: 'mk_octopus_records',
        type: 'gauge',
        help: 'Records in Octopus.',
        samples: [{ value: this.knowledge.octopus.store.size }],
      },
      {
        name: 'mk_skb_queries_total',
        type: 'counter',
        help: 'Prolog queries asked.',
        samples: [{ value: this.knowledge.queries.asked }],
      },
    ];
    return metricsText(families, { core: 'skb' });
  }

  /** By the machine's description; without one, cores of one host form a package. */
  packageOf(core: CoreId): number {
    return this.packagesAreHosts ? this.registry.hostNumberOf(core) : this.config.machine.packageOf(core);
  }

  get packagesAreHosts(): boolean {
    return this.config.machine.isAssumed === true && this.registry.hosts.several;
  }

  /** A monitor reports that the round trip to a peer has changed: its new minimum replaces the measurement. */
  linkChanged(from: CoreId, to: CoreId, roundTripNs: Nanos): void {
    const { trips } = this.measurement;
    for (const [a, b] of [
      [from, to],
      [to, from],
    ] as const)
      trips.set(a, b, { average: roundTripNs, variance: 0, min: roundTripNs, max: roundTripNs });
    this.knowledge.pairsMeasured(trips, [
      [from, to],
      [to, from],
    ]);
    this.plans.update(`link ${from}–${to} changed`);
  }

  /** The knowledge base, for a message of one of its clients. */
  client(peer: Peer, now: Nanos): Knowledge {
    this.knowledge.used(peer, now);
    return this.knowledge;
  }

  /** A client says that it ends. A member's monitor does not leave this way. */
  clientLeaves(peer: Peer, now: Nanos): void {
    if (this.registry.memberOf(peer) === undefined) this.endpoint.forget(peer, 'it has left', now);
  }

  // What the endpoint asks and reports.

  admit(from: Identity): ErrorName | null {
    if (from.peer === SKB_PEER) return 'WRONG_PEER';
    if (!isCore(from.peer)) return null;
    if (this.registry.isGone(from.peer, from.incarnation)) return 'PEER_GONE';
    return this.registry.isTaken(from.peer, from.instance) ? 'CORE_ID_TAKEN' : null;
  }

  peerUp(peer: Peer): void {
    this.registry.peerUp(peer);
  }

  peerDown(peer: Peer, reason: string, now: Nanos): void {
    if (this.registry.memberOf(peer) !== undefined) this.registry.peerDown(peer, reason, now);
    else if (!this.knowledge.isClient(peer)) this.endpoint.forget(peer, reason, now);
  }

  peerGone(peer: Peer): void {
    this.knowledge.gone(peer);
    if (!isCorePeer(peer)) return;
    this.measurement.trips.drop(peer.id);
    this.knowledge.coreGone(peer.id);
  }

  dialFailed(): boolean {
    return false;
  }

  message(peer: Peer, message: Message, now: Nanos): void {
    if (!isForSkb(message)) {
      this.outbox.log('frame_rejected', {
        peer: peer.id,
        link: peer.link,
        error: 'OUT_OF_PLACE',
        text: `${message.type} is not for the SKB`,
      });
      return;
    }
    this.perform(peer, message, now);
  }

  /** Every request of a client ends in an answer, even if a bug of ours prevents a real one. */
  private perform(peer: Peer, message: SkbMessage, now: Nanos): void {
    if (this.poisoned.has(message)) return this.knowledge.refuse(peer, message, 'POISONED');
    this.current = message;
    try {
      handleMessage(this, peer, message, now);
    } catch (error) {
      // The next life rereads a store in doubt from its journal.
      if (error instanceof AssertionFailure || this.config.guarded !== true || this.knowledge.octopus.underWay !== null)
        throw error;
      this.outbox.log('request_failed', { request: message.type, ...faultFields(error) });
      this.knowledge.refuse(peer, message, 'FAILED', String(error));
    }
    this.current = null;
  }

  /** The request under way, of a client or the control port: whoever sees it fail must be able to name it. */
  get requestUnderWay(): string | null {
    const current = this.knowledge.octopus.underWay ?? this.current;
    if (current === null) return null;
    return 'verb' in current ? controlText(current) : requestText(current);
  }

  volley(peer: Peer): void {
    this.outbox.log('frame_rejected', {
      peer: peer.id,
      link: peer.link,
      error: 'OUT_OF_PLACE',
      text: 'a volley is not for the SKB',
    });
  }

  sendable(peer: Peer): void {
    this.knowledge.mailbox.sendable(peer);
  }

  private readonly handlers: Handlers = {
    start: (_event, now) => {
      this.startedAt = now;
      this.heartbeats(now);
    },
    link_up: ({ link, first, names }, now) => this.endpoint.linkUp(link, first, now, names),
    link_down: ({ link, reason }, now) => this.endpoint.linkDown(link, reason, now),
    frame_received: ({ link, frame }, now) => this.endpoint.frameReceived(link, frame, now),
    timer_fired: () => {
      this.timerAt = Infinity;
    },
    control_request: ({ id, request }, now) => {
      const reply = (answer: ControlReply): void => this.outbox.push({ type: 'control_reply', id, reply: answer });
      const verb = isKeyOf(VERBS, request.verb) ? VERBS[request.verb] : undefined;
      const text = `no verb ${request.verb.slice(0, 40)}; the SKB knows ${Object.keys(VERBS).join(', ')}`;
      if (verb === undefined) return reply({ ok: false, error: 'BAD_REQUEST', text });
      if (this.poisoned.hasControl(request))
        return reply({ ok: false, error: 'POISONED', text: `${request.verb}: it ended an earlier life of this SKB` });
      this.current = request;
      this.config.busyWith?.(controlText(request));
      verb.run(this, request.args, now, reply);
      this.config.busyWith?.(null);
      this.current = null;
    },
    engine_ready: ({ facts }, now) => {
      this.engineReadyAt = now;
      this.outbox.log('engine_ready', { elapsed_ms: now / 1e6, facts });
    },
    engine_restarted: ({ cause }) => this.outbox.log('engine_restarted', { cause }),
    facts_refused: ({ text }) => {
      this.factsMissing ??= text;
    },
    query_answered: (answer) => this.knowledge.queries.answered(answer),
    journal_opened: ({ contents }, now) => this.knowledge.opened(contents, now),
    journal_written: ({ entry }) => this.knowledge.octopus.writtenTo(entry),
    journal_failed: ({ text }) => this.knowledge.octopus.failed(text),
    journal_recovered: () => this.knowledge.octopus.recovered(),
    stop: () => {
      this.outbox.log('process_stopping', { reason: 'asked to' });
      this.endpoint.closeAll('SHUTTING_DOWN');
      this.outbox.push({ type: 'halt', error: null });
      this.stopped = true;
    },
  };

  private measured(): void {
    this.knowledge.measured(this.measurement.trips);
    this.plans.update('measured');
  }

  /**
   * Until new trees are planned, a message goes core by core to a host whose leader is gone, and everybody sends to a
   * core that joined: between hosts that costs too much to wait for a complete mesh.
   */
  private replanLater(now: Nanos): void {
    if (!this.packagesAreHosts || this.plannedEpoch === this.registry.epoch) return;
    this.plannedEpoch = this.registry.epoch;
    this.endpoint.timers.cancel(this.replanning);
    this.replanning = this.endpoint.timers.set(now + REPLAN_AFTER, () => {
      this.replanning = null;
      this.plans.update('members changed');
    });
  }

  private flush(now: Nanos): void {
    this.replanLater(now);
    this.knowledge.flush(now);
    this.endpoint.flush(now);
    this.knowledge.flush(now); // flushes what timers changed
    const { next } = this.endpoint.timers;
    if (next >= this.timerAt) return;
    this.timerAt = next;
    this.outbox.push({ type: 'set_timer', at: next });
  }

  private meshComplete(now: Nanos): void {
    const { members, meshLinks } = this.registry;
    const elapsedMs = (now - this.startedAt) / 1e6;
    this.outbox.log('mesh_complete', { cores: members.size, links: meshLinks, elapsed_ms: elapsedMs });
    this.outbox.push({ type: 'mesh_complete', cores: members.size, links: meshLinks, elapsedMs });
    this.plans.update('mesh complete');
    if (!this.config.measure || members.size < 2) return;
    this.endpoint.timers.cancel(this.settling);
    this.settling = this.endpoint.timers.set(now + SETTLE, (at) => {
      this.settling = null;
      this.measurement.startUnasked(at);
    });
  }

  private heartbeats(now: Nanos): void {
    const interval = heartbeatInterval(this.endpoint.peers.size);
    beatOnSilentLinks(this.endpoint, interval, now);
    this.endpoint.timers.set(nextHeartbeat(now, interval, this.config.hostClockNs ?? 0), (at) => this.heartbeats(at));
  }
}

function faultFields(error: unknown): { readonly error: string; readonly text: string } {
  const { name, message, stack = message } = error instanceof Error ? error : new Error(String(error));
  return { error: name, text: stack };
}

import type { CoreAnswers } from '../../control/verb-answers.ts';
import { type CoreId, type Nanos, peerName } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import { isCorePeer, type Peer, silenceOf } from '@mk/monitor-proto/endpoint/peer';
import type { VolleyFrame } from '@mk/monitor-proto/urpc/frames';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError } from '../operations.ts';
import type { EventHandlers, MessageHandlers, Service, Verbs } from '../service.ts';
import { ClockSync } from './clock.ts';
import { Drift } from './drift.ts';
import { Flood } from './flood.ts';
import { Measure } from './measure.ts';
import { Ping } from './ping.ts';
import { Rally } from './rally.ts';
import { Ring } from './ring.ts';
import { summarise } from '../statistics.ts';

const COUNT = { min: 1, max: 100_000_000 } as const;
const CORE = { min: 0, max: limit('maxCores') - 1 } as const;
const PAYLOAD = { min: 0, max: limit('pingPayloadBytes'), otherwise: 64 } as const;

/** Measures links and cores: round trips, throughput, clocks, and the reports of them to the SKB. */
export class Probes implements Service {
  readonly ping: Ping;
  readonly rally: Rally;
  readonly drift: Drift;
  private readonly measure: Measure;
  private readonly clock: ClockSync;
  private readonly flood: Flood;
  private readonly ring: Ring;

  readonly messages = {
    measure_request: (_from, request, now) => this.measure.onRequest(request, now),
    ping_request: (from, request) => this.ping.onRequest(from.id, request),
    ping_reply: (from, reply, now) => this.ping.onReply(from.id, reply, now),
    clock_request: (from, request, now) => this.clock.onRequest(from.id, request, now),
    clock_reply: (from, reply, now) => this.clock.onReply(from.id, reply, now),
    flood: (from, message) => this.flood.onMessage(from.id, message),
    flood_end: (from, end) => this.flood.onEnd(from.id, end),
    flood_result: (from, result, now) => this.flood.onResult(from.id, result, now),
    ring_token: (from, token, now) => this.ring.onToken(from, token, now),
  } satisfies MessageHandlers;
  readonly events = {
    links_touched: ({ cores }, now) => this.drift.look(cores, now),
  } satisfies EventHandlers;
  readonly verbs: Verbs = {
    links: {
      args: [],
      withoutLease: true,
      doc: 'Channels and round trips, one row per peer.',
      run: (_args, now) => this.links(now),
    },
    ping: {
      withoutLease: true,
      args: ['core', 'count', 'bytes', 'pause_us'],
      doc: 'Round trips to another core, nanoseconds.',
      run: (args) => {
        const count = args.whole('count', { min: 1, max: 1_000_000, otherwise: 10 });
        const payload = new Uint8Array(args.whole('bytes', PAYLOAD));
        const pauseNs = 1000 * args.whole('pause_us', { min: 0, max: 10_000_000, otherwise: 0 });
        return this.pingSummary(args.whole('core', CORE), count, payload, pauseNs);
      },
    },
    flood: {
      withoutLease: true,
      args: ['core', 'count', 'bytes'],
      doc: 'Numbered messages as fast as the channel takes them; the receiver reports its counts.',
      run: (args) => this.flood.run(args.whole('core', CORE), args.whole('count', COUNT), args.whole('bytes', PAYLOAD)),
    },
    ring: {
      withoutLease: true,
      args: ['cores', 'count', 'bytes'],
      doc: 'Passes a token round these cores, this one first, `count` times; nanoseconds per round.',
      run: (args) => {
        const payload = new Uint8Array(args.whole('bytes', PAYLOAD));
        return this.ringSummary(args.cores('cores') ?? [], args.whole('count', COUNT), payload);
      },
    },
    clock: {
      withoutLease: true,
      args: ['core', 'count'],
      doc: 'The offset of another core’s clock.',
      run: (args) =>
        this.clock.offsetOf(
          args.whole('core', { min: 0, max: 65_535 }),
          args.whole('count', { min: 1, max: 1000, otherwise: 8 }),
        ),
    },
  };

  constructor(private readonly context: MonitorContext) {
    this.ping = new Ping(context);
    // The other end may report to the SKB what it served: this end's own report no longer counts.
    this.rally = new Rally(context.endpoint, (core) => this.drift.forget(core));
    this.drift = new Drift(context, this.rally);
    this.measure = new Measure(context, this.rally, this.drift);
    this.clock = new ClockSync(context);
    this.flood = new Flood(context);
    this.ring = new Ring(context);
  }

  peerUp(peer: Peer, _first: boolean, now: Nanos): void {
    this.rally.peerUp(peer, now);
  }

  peerGone(peer: Peer, now: Nanos): void {
    if (!isCorePeer(peer)) return;
    const { id } = peer;
    this.drift.forget(id);
    this.ping.peerGone(id, now);
    this.rally.peerGone(id, now);
    this.flood.peerGone(id, now);
  }

  sendable(peer: Peer, now: Nanos): void {
    if (isCorePeer(peer)) this.flood.sendable(peer.id, now);
  }

  volley(peer: Peer, volley: VolleyFrame, now: Nanos): void {
    this.rally.onVolley(peer, volley, now);
  }

  metrics(): readonly MetricFamily[] {
    return [...this.ping.metrics(), ...this.rally.metrics()];
  }

  leftovers(): readonly string[] {
    return this.rally.size > 0 ? [`${this.rally.size} rallies`] : [];
  }

  private links(now: Nanos): CoreAnswers['links'] {
    const { endpoint, monitors } = this.context;
    const peers = [...endpoint.peers.values()].sort((a, b) => a.id - b.id);
    return peers.map((peer) => {
      const trips = isCorePeer(peer) ? this.ping.byCore.get(peer.id) : undefined;
      const monitor = isCorePeer(peer) ? monitors.get(peer.id) : undefined;
      return {
        peer: peerName(peer.id),
        up: peer.link !== 0,
        bound: monitor !== undefined,
        suspected: monitor?.suspected ?? false,
        silent_ms: Math.round(silenceOf(peer, now) / 1e6),
        unacknowledged: peer.channel.unacknowledged,
        ...peer.channel.counters,
        rtt: trips
          ? { count: trips.count, average: trips.average, min: trips.min, max: trips.max, variance: trips.variance }
          : null,
      };
    });
  }

  private *pingSummary(
    core: CoreId,
    count: number,
    payload: Uint8Array,
    pauseNs: Nanos,
  ): Operation<CoreAnswers['ping']> {
    this.failUnlessMember(core);
    const samples = yield* this.ping.series(core, count, payload, pauseNs);
    return { core, bytes: payload.length, ...summarise(samples) };
  }

  private *ringSummary(cores: readonly number[], count: number, payload: Uint8Array): Operation<unknown> {
    const { core } = this.context;
    if (cores[0] !== core || cores.length < 2 || new Set(cores).size < cores.length)
      throw new OperationError('BAD_REQUEST', `ring: cores must be two or more different ones, core ${core} first`);
    for (const other of cores.slice(1)) this.failUnlessMember(other);
    return { cores, bytes: payload.length, ...summarise(yield* this.ring.run(cores, count, payload)) };
  }

  private failUnlessMember(core: CoreId): void {
    if (!this.context.monitors.has(core))
      throw new OperationError('PEER_UNKNOWN', `core ${core} is not a member of the cluster`);
  }
}

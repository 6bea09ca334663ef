import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { type CoreId, MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import {
  allRttUpdate,
  forgetCoreUpdate,
  hostHopsUpdate,
  hostsUpdate,
  hostThreadsUpdate,
  membershipUpdate,
  rttUpdate,
} from '../facts/cluster-facts.ts';
import type { JournalContents } from '../journal/changes.ts';
import type { Registry } from '../registry/registry.ts';
import type { RoundTrips } from '../topology/round-trips.ts';
import type { KnowledgeSink } from './effects.ts';
import { Mailbox } from './mailbox.ts';
import { OctopusDesk } from './octopus-desk.ts';
import { QueryDesk } from './query-desk.ts';

/** Which impure parts the host runs; the simulator has neither. */
export interface KnowledgeHosting {
  readonly engine: boolean;
  readonly journal: boolean;
}

/** Cores redial within a second of a restart; a hung host may take longer. */
const RESTART_GRACE: Nanos = 15 * SECOND;
/** Checks of clients per session time-out: a silent client is noticed late by at most this fraction. */
const LOOKS = 20;
/** Times of what may wait for a client: as much as a core's open requests can add once its session has ended. */
const MOST_OVERFULL = 2;
/** Timers count whole milliseconds: what came meanwhile is handled first. */
const TURN_PAUSE: Nanos = 1 * MILLISECOND;

/**
 * The knowledge base's part of the SKB: its clients, their queries and records, and the facts that the cluster makes.
 */
export class Knowledge {
  readonly mailbox: Mailbox;
  readonly queries: QueryDesk;
  readonly octopus: OctopusDesk;
  private readonly clients = new Set<Peer>();
  /** Cores whose session ended because they did not read, until they ask again. */
  private readonly overrun = new Set<Peer>();
  private toldEpoch = 0;
  private turnComes = false;
  private lastLookAt: Nanos = 0;
  private looking: Timer | null = null;

  constructor(
    private readonly hosting: KnowledgeHosting,
    private readonly sessionTimeoutNs: Nanos,
    private readonly endpoint: Endpoint,
    private readonly registry: Registry,
    private readonly outbox: KnowledgeSink,
    private readonly packagesAreHosts: () => boolean,
  ) {
    this.mailbox = new Mailbox(endpoint, (peer, now) => this.overfull(peer, now));
    this.queries = new QueryDesk(outbox, this.mailbox, hosting.engine);
    this.octopus = new OctopusDesk(outbox, this.mailbox, hosting.journal);
  }

  /** The peer uses the knowledge base, so its channel outlives a reset of its link. */
  used(peer: Peer, now: Nanos): void {
    this.clients.add(peer);
    if (!this.mailbox.exceeds(peer, 1)) this.overrun.delete(peer);
    if (this.looking !== null) return;
    this.lastLookAt = now;
    this.lookLater(now);
  }

  /** Whether it is a client whose link ended, and who may come back within its session. */
  isClient(peer: Peer): boolean {
    return this.clients.has(peer);
  }

  /**
   * A client renews its session, which hearing from it has already done, or begins another, which ends the previous
   * one.
   */
  alive(peer: Peer, id: number, begins: boolean): void {
    if (begins) this.octopus.expire(peer);
    const timeoutMs = Math.ceil(this.sessionTimeoutNs / MILLISECOND);
    this.mailbox.send(peer, { type: 'session_alive_reply', id, timeout_ms: timeoutMs });
  }

  private lookLater(now: Nanos): void {
    this.looking = this.endpoint.timers.set(now + this.sessionTimeoutNs / LOOKS, (at) => this.look(at));
  }

  /** Ends the sessions of clients that were silent for a session time-out. */
  private look(now: Nanos): void {
    const pause = this.sessionTimeoutNs / LOOKS;
    // An SKB that was itself stopped has heard nobody: everybody's time-out starts over.
    const slept = now - this.lastLookAt > 4 * pause;
    this.lastLookAt = now;
    for (const peer of [...this.clients]) {
      if (slept) peer.lastHeardAt = now;
      if (now - peer.lastHeardAt >= this.sessionTimeoutNs) this.giveUp(peer, now);
    }
    if (this.clients.size > 0) this.lookLater(now);
    else this.looking = null;
  }

  /** A core stays a member, and learns when it wakes that its session is over; nothing remains of any other client. */
  private giveUp(peer: Peer, now: Nanos): void {
    const silentMs = Math.round((now - peer.lastHeardAt) / MILLISECOND);
    this.outbox.log('session_lost', { peer: peer.id, instance: peer.instance.slice(0, 8), silent_ms: silentMs });
    if (this.registry.memberOf(peer) === undefined)
      return this.endpoint.forget(peer, `nothing was heard of it for ${silentMs} ms`, now);
    this.clients.delete(peer);
    this.octopus.expire(peer);
    this.mailbox.send(peer, { type: 'session_lost', silent_ms: silentMs });
  }

  /**
   * More waits for a client than may: it does not read. A core stays a member, as in `giveUp`: what it can ask for again
   * is taken back, the answers to its requests are not. Whoever still has too much waiting asks more than cores do.
   */
  private overfull(peer: Peer, now: Nanos): void {
    if (this.registry.memberOf(peer) !== undefined && !this.mailbox.exceeds(peer, MOST_OVERFULL)) {
      if (!this.overrun.has(peer)) this.endOverrun(peer);
    } else this.endpoint.forget(peer, 'it does not take its answers', now);
  }

  private endOverrun(peer: Peer): void {
    this.overrun.add(peer);
    this.outbox.log('session_overrun', { peer: peer.id, instance: peer.instance.slice(0, 8) });
    this.queries.abandon(peer);
    this.octopus.expire(peer);
    this.mailbox.withdraw(peer, ({ type }) => type === 'oct_notify');
    this.clients.delete(peer);
    this.mailbox.send(peer, { type: 'session_overrun' });
  }

  /** Answers a client's request with an error, without performing it. */
  refuse(peer: Peer, message: Message, cause: 'FAILED' | 'POISONED', detail = ''): void {
    const text = cause === 'POISONED' ? 'the same request ended an earlier life of the SKB' : detail;
    if (message.type === 'oct_request') this.octopus.refuse(peer, message.id, cause, text);
    else if (message.type === 'skb_query' || message.type === 'skb_rules')
      this.queries.refuse(peer, message.id, cause === 'POISONED' ? 'QueryPoisoned' : 'QueryFailed', text);
  }

  gone(peer: Peer): void {
    this.clients.delete(peer);
    this.overrun.delete(peer);
    this.mailbox.gone(peer);
    this.queries.gone(peer);
    this.octopus.gone(peer.instance);
  }

  /** The journal was read: owners that do not come back will be reported gone. */
  opened(contents: JournalContents, now: Nanos): void {
    this.octopus.opened(contents);
    const owners = this.octopus.owners();
    if (owners.length === 0) return;
    this.endpoint.timers.set(now + Math.max(RESTART_GRACE, 2 * this.sessionTimeoutNs), () => {
      const here = new Set([...this.endpoint.peers.values()].map(({ instance }) => instance));
      for (const owner of owners) if (!here.has(owner)) this.octopus.gone(owner);
    });
  }

  measured(trips: RoundTrips): void {
    if (this.hosting.engine) this.outbox.push({ type: 'update_facts', update: allRttUpdate(rowsOf(trips)) });
  }

  /** These pairs were measured again. */
  pairsMeasured(trips: RoundTrips, pairs: readonly (readonly [CoreId, CoreId])[]): void {
    if (!this.hosting.engine) return;
    const rows = pairs.flatMap(([from, to]) => {
      const trip = trips.get(from, to);
      return trip === undefined ? [] : [{ from, to, ...trip }];
    });
    this.outbox.push({ type: 'update_facts', update: rttUpdate(rows) });
  }

  coreGone(core: CoreId): void {
    if (this.hosting.engine) this.outbox.push({ type: 'update_facts', update: forgetCoreUpdate(core) });
  }

  /** Continues Octopus after everybody else had a turn. */
  private nextTurn(now: Nanos): void {
    this.turnComes = true;
    this.endpoint.timers.set(now + TURN_PAUSE, (at) => {
      this.turnComes = false;
      this.octopus.turn();
      this.flush(at);
    });
  }

  /** Called at the end of each step. */
  flush(now: Nanos): void {
    this.mailbox.look(now);
    this.octopus.flush();
    if (this.octopus.unfinished && !this.turnComes) this.nextTurn(now);
    if (!this.hosting.engine || this.toldEpoch === this.registry.epoch) return;
    this.toldEpoch = this.registry.epoch;
    const members = [...this.registry.members.values()].sort((a, b) => a.core - b.core);
    const incarnations = new Map(members.map(({ core, incarnation }) => [core, incarnation]));
    this.outbox.push({ type: 'update_facts', update: membershipUpdate(incarnations) });
    const hosts = new Map(members.map(({ core, host }) => [core, host]));
    this.outbox.push({ type: 'update_facts', update: hostsUpdate(hosts) });
    if (this.packagesAreHosts()) this.tellHostPackages(members.map(({ core }) => core));
  }

  private tellHostPackages(cores: readonly CoreId[]): void {
    const packages = new Map(cores.map((core) => [core, this.registry.hostNumberOf(core)]));
    this.outbox.push({ type: 'update_facts', update: hostThreadsUpdate(packages) });
    const { count } = this.registry.hosts;
    if (count === this.toldHosts) return;
    this.toldHosts = count;
    this.outbox.push({ type: 'update_facts', update: hostHopsUpdate(count) });
  }
  private toldHosts = 0;
}

function* rowsOf(
  trips: RoundTrips,
): Generator<{ from: CoreId; to: CoreId; average: number; variance: number; min: number; max: number }> {
  for (const [from, to, trip] of trips.entries()) yield { from, to, ...trip };
}

import { assertInvariant } from '@mk/monitor-proto/assert';
import { ERRORS, type ErrorName, errorOfCode } from '@mk/monitor-proto/errors';
import { type CoreId, type Incarnation, type Nanos, NO_CORE, SKB_PEER } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MonitorRow } from '@mk/monitor-proto/messages/fields';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { CorePeer, Peer } from '@mk/monitor-proto/endpoint/peer';
import type { KernelConfig } from '../../config.ts';
import type { MonitorContext } from '../context.ts';

/*
 * How a monitor joins the mesh: Barrelfish's six steps, with the SKB in the place of the booting monitor.
 *
 *   0  register_request / register_reply   the core gets its id, the machine, the settings
 *   1  monitor_initialized   new → SKB     it listens and may be announced
 *   2  new_monitor_notify    SKB → ready   every initialised monitor hears of it
 *   3  bind_monitor_proxy    ready → SKB   each asks that the new one bind to it
 *   4  bind_monitor_request  SKB → new     the new one is told where they listen, and opens the links
 *   5  bind_monitor_reply    new → ready   over the fresh link: bound
 *   6  capops_ready          both ways     takes part in global operations from now on
 *
 *   J1  each pair of monitors has one link: only step 4 opens links, and only the later of the two gets it for a pair;
 *   J2  a monitor is in no global operation before its capops_ready arrived;
 *   J3  the monitors that are awaited are those that are known and not bound.
 */

const JOIN_DEADLINE = limit('joinDeadlineNs');
const BOOT_PATIENCE = limit('handshakeTimeoutNs');
const RETRY_FIRST: Nanos = 50_000_000;
const RETRY_MOST: Nanos = 2_000_000_000;

const NOBODY: readonly CoreId[] = [];

/** What joining needs of the core that joins. */
export interface JoinHost {
  /** The registry has named this core, for the first time. */
  registered(now: Nanos): void;
  /** There is no going on: the process ends. */
  fail(error: ErrorName, text: string): void;
}

export class Join {
  private startedAt: Nanos = 0;
  private registeredAt: Nanos = -1;
  private readyReported = false;
  private everReady = false;
  /** More monitors are to be announced: nobody is bound to all yet. */
  private moreToCome = false;
  /** Monitors that we know of and are not bound to yet. */
  private readonly unbound = new Set<number>();
  /** The last incarnation of each core that this core has given up: it tells the next life of the SKB (R4). */
  private readonly givenUp = new Map<CoreId, Incarnation>();
  /** We ourselves end the channel to the SKB, to begin a new one. */
  private restarting = false;
  private attempts = 0;
  private lastFailure = 'no answer yet';
  /** Instances announced to us whose links we wait for. */
  private skb: Peer | null = null;

  constructor(
    private readonly context: MonitorContext,
    private readonly config: KernelConfig,
    private readonly host: JoinHost,
  ) {}

  /** This core has not been bound to all others yet, and it may still take its time. */
  booting(now: Nanos): boolean {
    return !this.everReady && now - this.startedAt < BOOT_PATIENCE;
  }

  start(now: Nanos): void {
    this.startedAt = now;
    this.dialSkb(now);
    this.context.timers.set(now + JOIN_DEADLINE, (at) => this.deadline(at));
  }

  /** The SKB's link is up: registers, or after a restart of the SKB registers again under the old id. */
  skbUp(peer: Peer, first: boolean): void {
    this.skb = peer;
    if (first) this.register(peer);
  }

  /** The SKB cannot be reached or refused us: true means that dialling goes on. */
  skbFailed(error: ErrorName | null, text: string, now: Nanos): boolean {
    this.lastFailure = error === null ? text : `${error}: ${text}`;
    if (error === 'WRONG_INCARNATION') this.context.timers.set(now, (at) => this.skbRestarted(at));
    if (error === 'PEER_GONE' && this.context.registered) this.excluded();
    const hopeless =
      error === 'PEER_GONE' || error === 'WRONG_SECRET' || error === 'WRONG_VERSION' || error === 'WRONG_CLUSTER';
    if (hopeless && !this.context.registered)
      this.host.fail(error, `the SKB at ${this.config.skbAddress} refused this core: ${text}`);
    return !hopeless && error !== 'WRONG_INCARNATION';
  }

  /**
   * The channel to the SKB is over. Its restart begins a new one. But an SKB that lives on and has forgotten this instance
   * has declared it gone: others have given up what it held, so it ends; a new incarnation remembers nothing.
   */
  skbGone(now: Nanos): void {
    if (this.restarting) return;
    if (!this.context.registered) return this.dialSkb(now);
    this.excluded();
  }

  /** Step 0, the answer. */
  registered(reply: MessageOf<'register_reply'>, now: Nanos): void {
    if (reply.error !== 0) return this.registrationRefused(errorOfCode(reply.error) ?? 'BAD_REQUEST', now);
    const { context } = this;
    const again = context.registered;
    context.core = reply.core;
    context.incarnation = reply.incarnation;
    context.machine = reply.machine;
    context.settings = reply.settings;
    this.registeredAt = now;
    if (!again) {
      context.endpoint.setIdentity(reply.core, reply.incarnation);
      context.operations.setIdentity(reply.core, reply.incarnation);
      const { core, incarnation, machine, settings } = reply;
      context.outbox.push({ type: 'registered', registration: { core, incarnation, machine, settings } });
      this.host.registered(now);
    }
    this.step('monitor_initialized', SKB_PEER);
    context.send(SKB_PEER, { type: 'monitor_initialized' });
    if (again) this.report();
  }

  /** Step 2: new monitors were announced to us; step 3: ask for them. */
  announced(monitors: readonly MonitorRow[], more: boolean, now: Nanos): void {
    this.moreToCome = more;
    const cores: number[] = [];
    const incarnations: number[] = [];
    for (const row of monitors) {
      const known = this.learn(row, now);
      if (known.bound) continue;
      // An earlier life of the SKB had us bind to it: we dial, and must not be dialled as well (J1; nemesis seed 297).
      if (this.context.endpoint.expect(row[0], row[1], row[2]).dial !== null) continue;
      cores.push(row[0]);
      incarnations.push(row[1]);
    }
    if (cores.length === 0) return;
    this.step('bind_monitor_proxy', SKB_PEER);
    this.context.send(SKB_PEER, { type: 'bind_monitor_proxy', cores, incarnations });
  }

  /** Step 4: these monitors wait for our link. */
  bindTo(monitors: readonly MonitorRow[], more: boolean, now: Nanos): void {
    this.moreToCome = more;
    for (const row of monitors) {
      this.learn(row, now);
      this.step('bind_monitor_request', row[0], row[1]);
      this.context.endpoint.connect(row[0], row[1], row[2], row[3], now);
    }
  }

  /** A link that we opened to a monitor is up for the first time: step 5, and step 6 on our side. */
  linkUp(peer: CorePeer, now: Nanos): void {
    const monitor = this.context.monitors.get(peer.id);
    if (monitor === undefined || peer.dial === null) return;
    monitor.bound = true;
    this.unbound.delete(peer.id);
    this.context.membersChanged();
    this.step('bind_monitor_reply', peer.id);
    this.context.send(peer.id, { type: 'bind_monitor_reply', core: this.context.core });
    this.context.send(peer.id, { type: 'capops_ready', core: this.context.core });
    this.bound(now);
  }

  /** Step 5 arrives at the monitor that was bound to. */
  boundBy(peer: CorePeer, now: Nanos): void {
    const monitor = this.context.monitors.get(peer.id);
    if (monitor === undefined) return;
    monitor.bound = true;
    this.unbound.delete(peer.id);
    this.context.membersChanged();
    this.context.send(peer.id, { type: 'capops_ready', core: this.context.core });
    this.bound(now);
  }

  /** Step 6 of another monitor. */
  ready(peer: CorePeer): void {
    const monitor = this.context.monitors.get(peer.id);
    if (monitor === undefined || monitor.ready) return;
    monitor.ready = true;
    this.context.membersChanged();
    this.step('capops_ready', peer.id);
  }

  /** Whom this core is bound to, once it is to all that it knows of and no others wait to be announced; nobody before. */
  get boundToAll(): readonly CoreId[] {
    if (!this.context.registered || this.unbound.size > 0 || this.moreToCome) return NOBODY;
    return [...this.context.monitors.keys()];
  }

  /** Forgets a monitor whose incarnation is over. */
  gone(core: CoreId): void {
    const monitor = this.context.monitors.get(core);
    if (monitor === undefined) return;
    this.unbound.delete(core);
    this.noteGivenUp(core, monitor.incarnation);
    this.context.monitors.delete(core);
    this.context.membersChanged();
  }

  /** That incarnation is over, although this core may never have met it. */
  noteGivenUp(core: CoreId, incarnation: Incarnation): void {
    this.givenUp.set(core, Math.max(incarnation, this.givenUp.get(core) ?? 0));
  }

  /** Whether this core has given up what that incarnation held. */
  hasGivenUp(core: CoreId, incarnation: Incarnation): boolean {
    const last = this.givenUp.get(core);
    return last !== undefined && incarnation <= last;
  }

  /** J2, J3. Throws AssertionFailure. */
  invariants(): void {
    const { monitors } = this.context;
    for (const core of this.unbound)
      assertInvariant('J3', monitors.get(core)?.bound === false, () => `core ${core} is awaited, not known or bound`);
    for (const { core, bound } of monitors.values())
      assertInvariant('J3', bound || this.unbound.has(core), () => `core ${core} is not bound, and not awaited`);
    for (const core of this.context.members)
      assertInvariant('J2', monitors.get(core)?.ready, () => `core ${core} is a member and not ready`);
  }

  private dialSkb(now: Nanos): void {
    this.skb = this.context.endpoint.connect(SKB_PEER, 0, '', this.config.skbAddress, now);
  }

  private skbRestarted(now: Nanos): void {
    this.restarting = true;
    if (this.skb !== null) this.context.endpoint.forget(this.skb, 'the SKB was restarted', now);
    this.restarting = false;
    this.dialSkb(now);
  }

  private register(peer: Peer): void {
    const { context, config, givenUp } = this;
    const core = context.registered ? context.core : (config.wantedCore ?? NO_CORE);
    const gone = { gone_cores: [...givenUp.keys()], gone_incarnations: [...givenUp.values()] };
    context.endpoint.sendTo(peer, {
      type: 'register_request',
      core,
      incarnation: context.incarnation,
      address: config.address,
      ...gone,
    });
  }

  private registrationRefused(error: ErrorName, now: Nanos): void {
    if (error === 'PEER_GONE') return this.excluded();
    this.lastFailure = `${error}: ${ERRORS[error].doc}`;
    const retriable = error === 'CORE_ID_TAKEN';
    if (!retriable || this.attempts >= 6)
      return this.host.fail(
        error,
        `the registry refused core ${this.config.wantedCore ?? '(any)'}: ${ERRORS[error].doc}`,
      );
    const pause = Math.min(RETRY_MOST, RETRY_FIRST * 2 ** this.attempts);
    this.attempts += 1;
    this.context.timers.set(now + pause, () => this.skb !== null && this.register(this.skb));
  }

  private excluded(): void {
    this.host.fail('PEER_GONE', 'the registry has declared this incarnation gone; a new one may take its place');
  }

  private deadline(now: Nanos): void {
    if (this.context.registered) return;
    const seconds = Math.round((now - this.startedAt) / 1e9);
    this.host.fail(
      'SKB_UNREACHABLE',
      `the SKB at ${this.config.skbAddress} did not let this core in within ${seconds} s (${this.lastFailure})`,
    );
  }

  private learn(row: MonitorRow, now: Nanos): { bound: boolean } {
    const [core, incarnation, instance, address] = row;
    const known = this.context.monitors.get(core);
    if (known !== undefined && known.instance === instance) return known;
    const stale = this.context.endpoint.peers.get(core);
    if (stale !== undefined && stale.instance !== instance)
      this.context.endpoint.forget(stale, 'a newer incarnation was announced', now);
    const monitor = { core, incarnation, instance, address, bound: false, ready: false, suspected: false };
    this.context.monitors.set(core, monitor);
    this.unbound.add(core);
    this.readyReported = false;
    return monitor;
  }

  private bound(now: Nanos): void {
    if (this.unbound.size > 0) return;
    this.report();
    if (this.readyReported || this.moreToCome) return;
    this.readyReported = true;
    this.everReady = true;
    this.context.outbox.log('core_ready', {
      links: this.context.monitors.size,
      elapsed_ms: (now - this.registeredAt) / 1e6,
    });
  }

  private report(): void {
    this.context.send(SKB_PEER, { type: 'mesh_report', links: this.context.monitors.size - this.unbound.size });
  }

  private step(step: string, peer: number, incarnation?: number): void {
    if (!this.context.outbox.debug) return;
    this.context.outbox.log(
      'join_step',
      incarnation === undefined ? { peer, step } : { peer, peer_incarnation: incarnation, step },
    );
  }
}

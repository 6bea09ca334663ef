/*
 * How a monitor joins the mesh: the first of Barrelfish's six steps, with the SKB in place of the booting monitor.
 *
 *   0  register_request / register_reply   the core gets its id, the machine, the settings
 *   1  monitor_initialized   new → SKB     it listens and may be announced
 *   2  new_monitor_notify    SKB → known   every initialised monitor hears of it
 *   3  bind_monitor_proxy    known → SKB   each asks the SKB to announce it to the new one
 *   4  bind_monitor_request  SKB → new     the new one hears where they listen
 *
 * Barrelfish then opens the links (steps 5 and 6). Here the first message opens a link (decision 0161), and the view
 * says who takes part in global operations.
 *
 *   J1  each pair of monitors has at most one link: of two that cross, the lower core's survives;
 *   J2  a monitor takes part in no global operation before a view with it is installed;
 *   J3  this core has the address of every monitor that it knows, until that incarnation is over.
 */
import { assertInvariant } from '@mk/monitor-proto/assert';
import { CERTIFICATE_ERROR_NAMES } from '@mk/monitor-proto/certificate-errors';
import { ERRORS, type ErrorName, errorOfCode } from '@mk/monitor-proto/errors';
import { type CoreId, type Incarnation, type Nanos, NO_CORE, SKB_PEER } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MonitorRow } from '@mk/monitor-proto/messages/fields';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { KernelConfig } from '../../config.ts';
import type { MonitorContext } from '../context.ts';

const JOIN_DEADLINE = limit('joinDeadlineNs');
const BOOT_PATIENCE = limit('handshakeTimeoutNs');
const RETRY_FIRST: Nanos = 50_000_000;
const RETRY_MOST: Nanos = 2_000_000_000;

const NOBODY: readonly CoreId[] = [];
/** Errors after which retrying would not help. */
const HOPELESS: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'PEER_GONE',
  'WRONG_SECRET',
  'WRONG_VERSION',
  'WRONG_CLUSTER',
  ...CERTIFICATE_ERROR_NAMES,
]);

/** The core that joins. */
export interface JoinHost {
  /** The registry has named this core for the first time. */
  registered(now: Nanos): void;
  /** Ends the process: the core cannot go on. */
  fail(error: ErrorName, text: string): void;
}

export class Join {
  private startedAt: Nanos = 0;
  private registeredAt: Nanos = -1;
  private everReady = false;
  /** More monitors will be announced: the list is incomplete. */
  private moreToCome = false;
  /** The latest incarnation of each core that this core has given up, for the SKB's next life (R4). */
  private readonly givenUp = new Map<CoreId, Incarnation>();
  /** We are ending the channel to the SKB ourselves, to begin a new one. */
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

  /** Whether this core is in no view yet, and may still take its time. */
  booting(now: Nanos): boolean {
    return !this.everReady && now - this.startedAt < BOOT_PATIENCE;
  }

  start(now: Nanos): void {
    this.startedAt = now;
    this.dialSkb(now);
    this.context.timers.set(now + (this.config.joinDeadlineNs ?? JOIN_DEADLINE), (at) => this.deadline(at));
  }

  /** The SKB's link is up: registers, or after a restart of the SKB registers again under the old id. */
  skbUp(peer: Peer, first: boolean): void {
    this.skb = peer;
    if (first) this.register(peer);
  }

  /** The SKB is unreachable or refused us; true: keep dialling. */
  skbFailed(error: ErrorName | null, text: string, now: Nanos): boolean {
    this.lastFailure = error === null ? text : `${error}: ${text}`;
    if (error === 'WRONG_INCARNATION') this.context.timers.set(now, (at) => this.skbRestarted(at));
    if (error === 'PEER_GONE' && this.context.registered) this.excluded();
    const hopeless = error !== null && HOPELESS.has(error);
    if (hopeless && !this.context.registered)
      this.host.fail(error, `the SKB at ${this.config.skbAddress} refused this core: ${text}`);
    return !hopeless && error !== 'WRONG_INCARNATION';
  }

  /**
   * The channel to the SKB is over. A restarted SKB gets a new one. But an SKB that lives on and has forgotten this
   * instance has declared it gone: others have given up its holdings, so it ends; a new incarnation remembers nothing.
   */
  skbGone(now: Nanos): void {
    if (this.restarting) return;
    if (!this.context.registered) return this.dialSkb(now);
    this.excluded();
  }

  /** Handles the reply to step 0. */
  registered(reply: MessageOf<'register_reply'>, now: Nanos): void {
    if (reply.error !== 0) return this.registrationRefused(errorOfCode(reply.error) ?? 'BAD_REQUEST', now);
    const { context } = this;
    const again = context.registered;
    context.core = reply.core;
    context.incarnation = reply.incarnation;
    context.registeredView = reply.view;
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

  /** Step 2: new monitors were announced to us; step 3: asks the SKB to announce us to them. */
  announced(monitors: readonly MonitorRow[], more: boolean, now: Nanos): void {
    this.moreToCome = more;
    for (const row of monitors) this.learn(row, now);
    this.step('bind_monitor_proxy', SKB_PEER);
    // Also for those that an earlier life of the SKB announced: it may have died before announcing us to them.
    const [cores, incarnations] = [monitors.map(([core]) => core), monitors.map(([, incarnation]) => incarnation)];
    this.context.send(SKB_PEER, { type: 'bind_monitor_proxy', cores, incarnations });
    this.report();
  }

  /** Step 4: these monitors know us. */
  bindTo(monitors: readonly MonitorRow[], more: boolean, now: Nanos): void {
    this.moreToCome = more;
    for (const row of monitors) {
      this.learn(row, now);
      this.step('bind_monitor_request', row[0], row[1]);
    }
    this.report();
  }

  /** This core is in a view. */
  takesPart(now: Nanos): void {
    if (this.everReady) return;
    this.everReady = true;
    this.context.outbox.log('core_ready', {
      links: this.context.monitors.size,
      elapsed_ms: (now - this.registeredAt) / 1e6,
    });
  }

  /** The cores that this one knows, once no more announcements are due; empty until then. */
  get known(): readonly CoreId[] {
    if (!this.context.registered || this.moreToCome) return NOBODY;
    return [...this.context.monitors.keys()];
  }

  /** Forgets a monitor whose incarnation is over. */
  gone(core: CoreId): void {
    const monitor = this.context.monitors.get(core);
    if (monitor === undefined) return;
    this.noteGivenUp(core, monitor.incarnation);
    this.context.monitors.delete(core);
    this.context.membersChanged();
  }

  /** Marks an incarnation as over, even if this core never met it. */
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
    const { monitors, endpoint } = this.context;
    for (const { core, instance } of monitors.values())
      assertInvariant('J3', endpoint.peers.get(core)?.instance === instance, () => `core ${core} is known and no peer`);
    for (const core of this.context.members) {
      const monitor = monitors.get(core);
      const inView = monitor !== undefined && this.context.isInView(monitor);
      assertInvariant('J2', inView, () => `core ${core} takes part and is in no view`);
    }
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
      host: config.host ?? '',
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
      (this.skb?.link ?? 0) === 0 ? 'SKB_UNREACHABLE' : 'JOIN_TIMEOUT',
      `the SKB at ${this.config.skbAddress} did not admit this core within ${seconds} s (${this.lastFailure})`,
    );
  }

  private learn(row: MonitorRow, now: Nanos): void {
    const [core, incarnation, instance, address] = row;
    const { context } = this;
    const isKnown = context.monitors.get(core)?.instance === instance;
    if (!isKnown) {
      const stale = context.endpoint.peers.get(core);
      if (stale !== undefined && stale.instance !== instance)
        context.endpoint.forget(stale, 'a newer incarnation was announced', now);
      context.monitors.set(core, { core, incarnation, instance, address, suspected: false });
      context.membersChanged();
    }
    context.endpoint.know(core, incarnation, instance, address);
  }

  private report(): void {
    this.context.send(SKB_PEER, { type: 'mesh_report', links: this.context.monitors.size });
  }

  private step(step: string, peer: number, incarnation?: number): void {
    if (!this.context.outbox.debug) return;
    this.context.outbox.log(
      'join_step',
      incarnation === undefined ? { peer, step } : { peer, peer_incarnation: incarnation, step },
    );
  }
}

/*
 * The registry: who is a core of this cluster. Assigns ids and incarnations, and leads the six-step mesh join
 * (node-kernel/src/monitor/membership/join.ts) in place of Barrelfish's booting monitor.
 *
 *   R1  at any time at most one live instance holds a core id;
 *   R2  an incarnation number is given to one instance only, and they rise;
 *   R3  every pair of initialised monitors is introduced once in a life of the SKB (introductions.ts). A later life
 *       introduces again those not bound to each other by then;
 *   R4  an incarnation that was declared gone is never a member again, not even in a later life of the SKB: others have
 *       given up what it held. Whoever gave it up says so when it registers with the later life (decision 0051).
 */
import { maySpeakAs } from '@mk/monitor-proto/handshake/certified';
import { assertInvariant, known } from '@mk/monitor-proto/assert';
import { type ErrorName, ERRORS } from '@mk/monitor-proto/errors';
import { type CoreId, type Incarnation, type InstanceId, type Nanos, NO_CORE, SECOND } from '@mk/monitor-proto/ids';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import { limit } from '@mk/monitor-proto/limits';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import { type AgreedView, Founding } from './founding.ts';
import { Introductions } from './introductions.ts';
import { Hosts } from './hosts.ts';
import type { Member } from './member.ts';
import { ViewBook } from './view-book.ts';

/** Incarnations of a core that one life of the SKB may assign before they would run into those of the next. */
const INCARNATIONS_PER_LIFE = 100_000;
/** A core whose link stays away this long is declared gone, unless it is in the view: then the cores decide. */
const GRACE: Nanos = 10 * SECOND;

/** The registry's configuration. */
export interface RegistryConfig {
  /** Boot is complete when so many cores are bound to one another. */
  readonly expectedCores: number;
  /** Ids 0 … maxCores − 1 may be assigned. */
  readonly maxCores: number;
  /** The machine description as JSON, for the cores. */
  readonly machineText: string;
  /** The settings that a core is told, as JSON. */
  settingsFor(core: CoreId): string;
  /** Which life of the SKB this is on its disk, from 1: each assigns its own incarnations (R2). Absent: the first. */
  readonly life?: number;
  /** The last view that its earlier lives knew. Absent: none. */
  readonly lastView?: AgreedView | null;
  /** How long the SKB may be silent before a core dials it again; absent: the limit `skbSilenceNs`. */
  readonly silenceNs?: Nanos;
}

export class Registry {
  readonly members = new Map<CoreId, Member>();
  private readonly lastIncarnation = new Map<CoreId, Incarnation>();
  /** The last incarnation of each core that earlier lives of the SKB declared gone, as far as cores report it. */
  private readonly goneBefore = new Map<CoreId, Incarnation>();
  /** Rises whenever somebody becomes a member or ceases to be one. */
  epoch = 0;
  private linkSum = 0;
  readonly introductions: Introductions;
  readonly hosts = new Hosts();
  readonly views: ViewBook;
  private readonly founding: Founding;

  constructor(
    private readonly config: RegistryConfig,
    private readonly endpoint: Endpoint,
    private readonly sink: EffectSink,
    private readonly changed: (now: Nanos) => void,
    private readonly agreed: (view: AgreedView) => void = () => undefined,
  ) {
    const { members } = this;
    const { expectedCores, life = 1, lastView = null, silenceNs = limit('skbSilenceNs') } = config;
    this.views = new ViewBook(life);
    this.founding = new Founding({ expectedCores, life, lastView, silenceNs }, this, endpoint.timers, sink);
    this.introductions = new Introductions(
      { members, expected: config.expectedCores, tell: (member, message) => this.tell(member, message) },
      endpoint.timers,
    );
  }

  /** Whether a live instance other than this holds the id. */
  isTaken(core: CoreId, instance: InstanceId): boolean {
    const member = this.members.get(core);
    return member !== undefined && member.instance !== instance && member.peer.link !== 0;
  }

  /** Whether that incarnation was declared gone: if it returns it is refused, and so is its channel (R4). */
  isGone(core: CoreId, incarnation: Incarnation): boolean {
    const isOver = incarnation > 0 && incarnation <= (this.lastIncarnation.get(core) ?? 0);
    return isOver && this.members.get(core)?.incarnation !== incarnation;
  }

  /** Pairs of cores that know each other, as both have reported; a link opens on first use. */
  get meshLinks(): number {
    return Math.floor(this.linkSum / 2);
  }

  /** Every member is bound to every other, and there are as many as expected. */
  get meshComplete(): boolean {
    const n = this.members.size;
    return n >= this.config.expectedCores && this.linkSum === n * (n - 1);
  }

  register(peer: Peer, request: MessageOf<'register_request'>, now: Nanos): void {
    const core = this.chooseId(peer, request.core, request.address);
    if (typeof core === 'string') return this.refuse(peer, request.core, core);
    const before = this.members.get(core);
    const incarnation =
      before?.instance === peer.instance ? before.incarnation : this.incarnationFor(core, request.incarnation);
    if (incarnation === null) return this.refuse(peer, core, 'PEER_GONE');
    this.learnGone(core, request, now);
    const isSame = before?.instance === peer.instance;
    if (before !== undefined && !isSame) this.remove(before, 'a new instance took its id', now);
    const last = this.lastIncarnation.get(core) ?? 0;
    assertInvariant('R1', isSame || !this.members.has(core), () => `core ${core} is another instance’s`);
    assertInvariant('R2', isSame || incarnation > last, () => `core ${core} is given ${incarnation} after ${last}`);
    this.lastIncarnation.set(core, Math.max(incarnation, last));
    if (peer.id !== core || peer.incarnation !== incarnation) this.endpoint.rename(peer, core, incarnation);
    const member: Member = {
      core,
      incarnation,
      instance: peer.instance,
      address: request.address,
      host: request.host,
      peer,
      initialised: false,
      links: 0,
      downSince: null,
    };
    this.setLinks(isSame ? before : member, 0);
    this.members.set(core, member);
    this.hosts.learn(member.host);
    this.epoch += 1;
    this.founding.changed(now);
    this.sink.log('core_registered', { peer: core, member: core, address: request.address, host: request.host });
    this.tell(member, {
      type: 'register_reply',
      error: 0,
      core,
      incarnation,
      view: this.views.number,
      machine: this.config.machineText,
      settings: this.config.settingsFor(core),
    });
    if (request.incarnation !== 0)
      for (const [gone, last] of this.goneBefore)
        this.tell(member, { type: 'monitor_gone', core: gone, incarnation: last });
  }

  /** Step 1: the new monitor may be introduced to the others. */
  initialised(peer: Peer, now: Nanos): void {
    const fresh = this.memberOf(peer);
    if (fresh === undefined || fresh.initialised) return;
    fresh.initialised = true;
    this.introductions.initialised(fresh, now);
    this.tellThatPassedOver(fresh);
    if (this.members.size === 1 && this.meshComplete) this.complete(now); // a lone core has nobody to bind to
  }

  /** Step 3 → step 4. */
  proxyBind(peer: Peer, cores: readonly CoreId[], incarnations: readonly Incarnation[], now: Nanos): void {
    const asker = this.memberOf(peer);
    if (asker !== undefined) this.introductions.proxyBind(asker, cores, incarnations, now);
  }

  meshReport(peer: Peer, links: number, now: Nanos): void {
    const member = this.memberOf(peer);
    if (member === undefined) return;
    this.setLinks(member, links);
    if (this.meshComplete) this.complete(now);
  }

  /** A core has installed a view. Cores that the views have left behind are told, and end. */
  viewReport(peer: Peer, flat: readonly number[], now: Nanos): void {
    const from = this.memberOf(peer);
    if (from === undefined) return;
    const isNews = this.views.report(from, flat);
    if (isNews) this.agreed(this.views.agreed);
    for (const member of [...this.members.values()])
      if (this.views.hasDropped(member)) this.remove(member, `view ${this.views.number} goes on without it`, now);
    if (!isNews || this.hasFounded) return;
    for (const member of this.members.values()) if (member.initialised) this.tellThatPassedOver(member);
  }

  /**
   * An operator may begin a view without a core that waits for this registry to found one (`mkctl view --force`):
   * untold, that core would wait for ever.
   */
  private tellThatPassedOver(member: Member): void {
    const { flat } = this.views;
    if (!this.hasFounded && flat !== null && !this.views.isInSome(member) && !this.views.includes(member))
      this.tell(member, { type: 'view_found', view: flat });
  }

  /**
   * Founds the first view of a machine, or of its next life when no core is in a view. It does so once in a state of
   * the registry, when all its cores are bound to one another and every earlier instance is known to be gone. False:
   * not founded.
   */
  found(now: Nanos): boolean {
    const cores = [...this.members.values()].sort((a, b) => a.core - b.core);
    const isBound = cores.length > 0 && this.linkSum === cores.length * (cores.length - 1);
    if (!isBound || this.someInView || cores.some((member) => !member.initialised)) return false;
    const rows = cores.flatMap(({ core, incarnation }) => [core, incarnation]);
    const view = [this.views.firstNumber, known(cores[0]).core, cores.length, ...rows];
    this.hasFounded = true;
    for (const member of cores) this.tell(member, { type: 'view_found', view });
    for (const member of cores) this.viewReport(member.peer, view, now);
    return true;
  }
  private hasFounded = false;

  get cores(): number {
    return this.members.size;
  }

  get hasSeenView(): boolean {
    return this.views.number > 0;
  }

  get someInView(): boolean {
    for (const member of this.members.values()) if (this.views.isInSome(member)) return true;
    return false;
  }

  peerUp(peer: Peer): void {
    const member = this.memberOf(peer);
    if (member !== undefined) member.downSince = null;
  }

  peerDown(peer: Peer, reason: string, now: Nanos): void {
    const member = this.memberOf(peer);
    if (member === undefined) return;
    member.downSince = now;
    if (reason === 'SHUTTING_DOWN') this.sink.log('member_left', { member: member.core });
    else this.sink.log('member_down', { member: member.core, cause: reason });
    this.endpoint.timers.set(now + GRACE, (at) => {
      if (member.downSince !== now || this.members.get(member.core) !== member) return;
      if (!this.views.includes(member)) this.remove(member, `its link stayed away for ${GRACE / SECOND} s`, at);
    });
  }

  /** The number of a member's host; 0 for a core that is not a member. */
  hostNumberOf(core: CoreId): number {
    return this.hosts.numberOf(this.members.get(core)?.host ?? '');
  }

  tell(member: Member, message: Message): void {
    this.endpoint.sendTo(member.peer, message);
  }

  /** R1, R2. Throws AssertionFailure. */
  invariants(): void {
    const instances = new Set<InstanceId>();
    for (const [id, { core, peer, instance, incarnation }] of this.members) {
      assertInvariant('R1', id === core && peer.id === core, () => `member ${id} is core ${core}, peer ${peer.id}`);
      assertInvariant('R1', !instances.has(instance), () => `instance ${instance} has two core ids, ${id} for one`);
      const last = this.lastIncarnation.get(core) ?? 0;
      assertInvariant(
        'R2',
        incarnation <= last,
        () => `core ${core} has incarnation ${incarnation}, given out: ${last}`,
      );
      instances.add(instance);
    }
  }

  memberOf(peer: Peer): Member | undefined {
    const member = isCorePeer(peer) ? this.members.get(peer.id) : undefined;
    return member?.peer === peer ? member : undefined;
  }

  private complete(now: Nanos): void {
    this.found(now);
    this.changed(now);
  }

  /**
   * A core without a number of its own gets that of a process that was at its address: a container that was killed and
   * started again. Otherwise processes killed all together would stay members, and nobody could found a machine.
   */
  private chooseId(peer: Peer, wanted: number, address: string): CoreId | ErrorName {
    if (wanted !== NO_CORE) {
      if (wanted >= this.config.maxCores) return 'BAD_REQUEST';
      if (!maySpeakAs(peer.certified, wanted)) return 'WRONG_CERTIFICATE';
      return this.isTaken(wanted, peer.instance) ? 'CORE_ID_TAKEN' : wanted;
    }
    for (const {
      core,
      address: before,
      instance,
      peer: { link },
    } of this.members.values())
      if (before === address && link === 0 && instance !== peer.instance && maySpeakAs(peer.certified, core))
        return core;
    let certified = peer.certified === null;
    for (let core = 0; core < this.config.maxCores; core++) {
      if (!maySpeakAs(peer.certified, core)) continue;
      certified = true;
      if (!this.members.has(core)) return core;
    }
    return certified ? 'CLUSTER_FULL' : 'WRONG_CERTIFICATE';
  }

  /**
   * Incarnations that earlier lives of the SKB declared gone, as this core heard from others, stay gone, and all hear
   * of it (R4).
   */
  private learnGone(
    from: CoreId,
    { gone_cores: cores, gone_incarnations: incarnations }: MessageOf<'register_request'>,
    now: Nanos,
  ): void {
    for (const [i, core] of cores.entries()) {
      const incarnation = incarnations[i] ?? 0;
      // This life knows what it assigned: a list that claims more is not believed.
      const known = incarnation >= this.firstIncarnation || incarnation <= (this.goneBefore.get(core) ?? 0);
      if (!known && core !== from && core < this.config.maxCores) this.goneAlready(core, incarnation, now);
    }
  }

  private goneAlready(core: CoreId, incarnation: Incarnation, now: Nanos): void {
    this.goneBefore.set(core, incarnation);
    this.lastIncarnation.set(core, Math.max(incarnation, this.lastIncarnation.get(core) ?? 0));
    const member = this.members.get(core);
    if (member !== undefined && member.incarnation <= incarnation)
      return this.remove(member, 'an earlier life of the SKB declared it gone', now);
    for (const other of this.members.values()) this.tell(other, { type: 'monitor_gone', core, incarnation });
  }

  /**
   * The incarnation of a registering core. One that outlived the SKB keeps the one it claims, unless that was declared
   * gone (R4): null. Everybody else gets the next one. Incarnations that an earlier life assigned to cores that did not
   * come back are unknown, but lie below all that this life assigns.
   */
  private incarnationFor(core: CoreId, claimed: Incarnation): Incarnation | null {
    const last = this.lastIncarnation.get(core) ?? 0;
    if (claimed === 0) return Math.max(last + 1, this.firstIncarnation);
    return claimed > last ? claimed : null;
  }

  private get firstIncarnation(): Incarnation {
    return ((this.config.life ?? 1) - 1) * INCARNATIONS_PER_LIFE + 1;
  }

  private refuse(peer: Peer, wanted: number, error: ErrorName): void {
    this.sink.log('core_refused', { member: wanted, error, text: ERRORS[error].doc });
    this.endpoint.sendTo(peer, {
      type: 'register_reply',
      error: ERRORS[error].code,
      core: 0,
      incarnation: 0,
      view: 0,
      machine: '',
      settings: '',
    });
  }

  private remove(member: Member, cause: string, now: Nanos): void {
    const { core, incarnation } = member;
    this.setLinks(member, 0);
    this.members.delete(core);
    this.views.forget(member);
    this.epoch += 1;
    this.endpoint.forget(member.peer, cause, now);
    this.sink.log('member_gone', { member: core, cause });
    this.founding.changed(now);
    for (const other of this.members.values()) {
      this.setLinks(other, Math.min(other.links, this.members.size - 1));
      this.tell(other, { type: 'monitor_gone', core, incarnation });
    }
  }

  private setLinks(member: Member, links: number): void {
    this.linkSum += links - member.links;
    member.links = links;
  }
}

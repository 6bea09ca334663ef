import { type CoreId, isCore, type Nanos, SKB_PEER } from '@mk/monitor-proto/ids';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import type { MonitorContext } from '../context.ts';
import { OperationError } from '../operations.ts';
import type { MessageHandlers, Service, Verbs } from '../service.ts';
import type { ViewMessage } from './messages.ts';
import { type CoreView, describeView, type Installed } from './core-view.ts';
import { Examination } from './examination.ts';
import { forceVerb } from './force-verb.ts';
import { Founding } from './founding.ts';
import { Signs } from './signs.ts';
import { ViewAgreement } from './view-agreement.ts';
import { offencesMostOf, viewSettingsOf } from './settings.ts';
import type { ViewsHost } from './views-host.ts';
import { DEFAULT_VIEW_SETTINGS, isMember, type Member, type View, type ViewSettings } from './view.ts';
import { flattenView, fromWire, toWire, unflattenView, type WireViewMessage } from './wire.ts';

const KEPT = 64;
const NOBODY: readonly number[] = [];
/** A leaving core waits at most this long for a view without it: Docker grants a container five seconds. */
const LEAVE_MOST_NS: Nanos = 3_000_000_000;
/** A leaving leader takes along cores that ask within this long of it, or of one another. */
const LEADER_LINGERS_NS: Nanos = 700_000_000;

/**
 * Membership by agreement (docs/ARCHITECTURE.md): the pure protocol of view-agreement.ts on this core's links and
 * timers.
 */
export class Views implements Service {
  /** Absent until the registry has named this core. */
  agreement: ViewAgreement | null = null;
  readonly standingTimers = 1;
  private timer: Timer | null = null;
  private timerAt: Nanos = Infinity;
  private readonly installed: Installed[] = [];
  private lost = 0;
  private fencedAt: Nanos = 0;
  private hadLease = false;
  private readonly founding = new Founding();
  private readonly examination: Examination;
  private settings: ViewSettings = DEFAULT_VIEW_SETTINGS;
  private leaving: { readonly left: (now: Nanos) => void; readonly until: Nanos; lingersUntil: Nanos } | null = null;
  /** So many proven offences are enough to accuse a member; 0: nobody is accused. */
  private offencesMost = 0;

  readonly messages = {
    view_beacon: (from, message, now) => this.receive(from, message, now),
    view_beacon_reply: (from, message, now) => this.receive(from, message, now),
    view_newcomers: (from, message, now) => this.receive(from, message, now),
    view_probe: (from, message, now) => this.receive(from, message, now),
    view_probe_request: (from, message, now) => this.receive(from, message, now),
    view_accuse: (from, message, now) => this.receive(from, message, now),
    view_vote_request: (from, message, now) => this.receive(from, message, now),
    view_vote_reply: (from, message, now) => this.receive(from, message, now),
    view_prepare: (from, message, now) => this.receive(from, message, now),
    view_promise: (from, message, now) => this.receive(from, message, now),
    view_accept: (from, message, now) => this.receive(from, message, now),
    view_accepted: (from, message, now) => this.receive(from, message, now),
    view_install: (from, message, now) => this.receive(from, message, now),
    view_join: (from, message, now) => this.receive(from, message, now),
    view_join_reply: (from, message, now) => this.receive(from, message, now),
    view_found: (_from, { view }, now) => this.found(view, now),
    view_leave: (from, message, now) => this.receive(from, message, now),
    view_examine: ({ id }, { core }, now) => id === this.agreement?.leader && this.examination.begin(core, now),
  } satisfies MessageHandlers;

  readonly verbs: Verbs = {
    view: {
      args: [],
      withoutLease: true,
      doc: 'The view that this core has installed, its lease, suspicions and history.',
      run: (_args, now) => this.describe(now),
    },
    view_force: forceVerb(() => this.context, this),
    reaped: {
      args: ['core', 'incarnation'],
      withoutLease: true,
      doc: 'Proof of death, from the parent of a core’s process: nobody waits for its lease.',
      run: (args, now) => {
        const core = args.whole('core', { min: 0, max: 65_533 });
        const incarnation = args.whole('incarnation', { min: 1, max: 2 ** 32 - 1 });
        this.reaped({ core, incarnation }, now);
        return null;
      },
    },
  };

  constructor(
    private readonly context: MonitorContext,
    private readonly host: ViewsHost,
    private readonly hostClockNs: Nanos = 0,
  ) {
    this.examination = new Examination(context, (core) => host.examine(core));
  }

  registered(now: Nanos): void {
    const { core, incarnation, settings, registeredView } = this.context;
    this.settings = viewSettingsOf(settings, this.hostClockNs);
    this.offencesMost = offencesMostOf(settings);
    this.founding.begin(registeredView === 0 && incarnation === 1, now);
    const signs = new Signs(this.context, () => this.agreement?.view ?? null);
    this.agreement = new ViewAgreement(
      { core, incarnation },
      {
        sign: (to, view) => signs.sign(to, view),
        heardAt: (by) => signs.heardAt(by),
        send: (to, message) => void this.context.send(to, toWire(message)),
        installed: (view, at) => this.install(view, at),
        fenced: (fenced, at) => this.fence(fenced, at),
        excluded: (view, at) => this.exclude(view, at),
        quarantined: ({ core, by }) =>
          this.context.outbox.log('core_quarantined', { peer: core, accusers: [...by].sort((a, b) => a - b) }),
      },
      this.settings,
      () => this.contacts(),
    );
    this.fence(true, now);
    this.arm(now);
  }

  /** The cores to ask while this core is in no view. */
  private contacts(): readonly CoreId[] {
    const { endpoint, monitors, now } = this.context;
    if (this.founding.passedOver) return [...monitors.keys()];
    return this.founding.isAwaited(now, (endpoint.peers.get(SKB_PEER)?.link ?? 0) !== 0) ? NOBODY : this.host.known();
  }

  /** Whether this core is in no view yet: requests to it wait until it is. */
  get awaitsView(): boolean {
    return this.agreement !== null && this.agreement.view === null;
  }

  /** Before anything else in a step: a core whose lease expired while it stood still is fenced before it acts. */
  beforeStep(now: Nanos): void {
    this.agreement?.checkFence(now);
    // An offender is accused within half an interval; no other event accelerates that.
    if (this.context.offences.any && this.timerAt > now + this.settings.beaconNs / 2) this.arm(now);
  }

  /** A newcomer that knows everybody asks at once. */
  viewChanged(now: Nanos): void {
    if (this.agreement?.view === null) this.tick(now);
  }

  peerUp(peer: Peer, first: boolean, now: Nanos): void {
    if (peer.id !== SKB_PEER || !first) return;
    // A later life of the SKB knows nothing: a member of a view tells it before it reports its links. Others ask, since
    // the SKB does not know whether its earlier life founded a view.
    this.registryAway(now);
    this.founding.registryIsAnother();
    this.report();
  }

  /** A core that announces its end has ended: nobody waits for its lease. */
  peerDown(peer: Peer, reason: string, now: Nanos): void {
    const { id, incarnation } = peer;
    if (id === SKB_PEER) this.registryAway(now);
    if (reason !== 'SHUTTING_DOWN' || !isCore(id)) return;
    this.agreement?.past.noteLeft([{ core: id, incarnation }]);
    this.reaped({ core: id, incarnation }, now);
  }

  /**
   * Whether there was no lease for longer than a beacon's interval: callers are told so; before that their answers
   * wait.
   */
  isCutOff(now: Nanos): boolean {
    return this.context.fenced && now - this.fencedAt > this.settings.beaconNs;
  }

  /**
   * Calls `left` when a view goes on without this core, or has no other members, or after some seconds. Any number may
   * leave at once: each votes until it is out, so a majority is never missing. A leader goes last, as if it had died.
   */
  leave(now: Nanos, left: (now: Nanos) => void): void {
    if ((this.agreement?.view?.members.length ?? 0) < 2) return left(now);
    this.leaving = { left, until: now + LEAVE_MOST_NS, lingersUntil: now + LEADER_LINGERS_NS };
    this.askToLeave(now);
    this.watchLeaving(now);
  }

  private askToLeave(now: Nanos): void {
    if (this.leaving === null) return;
    const { agreement } = this;
    if (agreement === null) return;
    agreement.leave(now);
    const { view, leader, self } = agreement;
    if (view !== null && leader !== null && leader !== self.core)
      this.context.send(leader, { type: 'view_leave', view: view.number });
    this.leaving.lingersUntil = now + LEADER_LINGERS_NS;
  }

  private watchLeaving(now: Nanos): void {
    const { leaving, agreement } = this;
    if (leaving === null) return;
    const leads = agreement !== null && agreement.leader === agreement.self.core;
    if (now >= leaving.until || (leads && now >= leaving.lingersUntil)) return this.hasLeft(leaving.left, now);
    const look = leads ? Math.min(leaving.until, leaving.lingersUntil) : leaving.until;
    this.context.timers.set(look, (at) => this.watchLeaving(at));
  }

  private hasLeft(left: (now: Nanos) => void, now: Nanos): void {
    this.leaving = null;
    left(now);
  }

  private registryAway(now: Nanos): void {
    const until = this.awaitsView ? this.founding.registryAway(now) : null;
    if (until !== null) this.context.timers.set(until, (at) => this.awaitsView && this.tick(at));
  }

  reaped(member: Member, now: Nanos): void {
    const { agreement } = this;
    if (agreement === null || agreement.self.core === member.core) return;
    agreement.proofOfDeath(member, now);
    this.arm(now);
  }

  /** An operator's word that the majority is lost: this core goes on with those it hears, in a new epoch. */
  force(now: Nanos): View {
    const { agreement, context } = this;
    if (agreement === null) throw new OperationError('NOT_A_MEMBER', 'the registry has not named this core yet');
    const others = [...context.monitors.values()].filter(({ core }) => this.isHeard(core));
    const view = agreement.force(
      others.map(({ core, incarnation }) => ({ core, incarnation })),
      now,
    );
    this.arm(now);
    return view;
  }

  status() {
    const { agreement } = this;
    return { leader: agreement?.leader ?? null, fenced: this.context.fenced };
  }

  metrics(): readonly MetricFamily[] {
    const members = this.agreement?.view?.members.length ?? 0;
    return [
      { name: 'mk_view_members', type: 'gauge', help: 'Members of the view.', samples: [{ value: members }] },
      {
        name: 'mk_view_lost_total',
        type: 'counter',
        help: 'Members that views of this core went on without, other than those that left of their own will.',
        samples: [{ value: this.lost }],
      },
      {
        name: 'mk_fenced',
        type: 'gauge',
        help: '1 while this core has no lease, so that nothing leaves it.',
        samples: [{ value: this.context.fenced ? 1 : 0 }],
      },
    ];
  }

  report(): void {
    const view = this.agreement?.view ?? null;
    if (view !== null) this.context.send(SKB_PEER, { type: 'view_report', view: flattenView(view) });
  }

  private found(flat: readonly number[], now: Nanos): void {
    const view = unflattenView(flat);
    const { agreement } = this;
    if (view === null || agreement === null || agreement.view !== null) return;
    if (!isMember(view, agreement.self)) {
      this.founding.passedOver = true;
      return this.tick(now);
    }
    agreement.found(view, now);
    this.arm(now);
  }

  private receive(from: Peer, wire: WireViewMessage, now: Nanos): void {
    const { agreement } = this;
    const message: ViewMessage | null = fromWire(wire);
    const { id, incarnation } = from;
    if (agreement === null || message === null || !isCore(id) || !this.context.monitors.has(id)) return;
    agreement.receive({ core: id, incarnation }, message, now);
    if (message.type === 'view_beacon' || message.type === 'view_leave') this.askToLeave(now);
    this.arm(now);
  }

  private tick(now: Nanos): void {
    this.agreement?.tick(now);
    this.accuse(now);
    this.examination.ofAccused(this.agreement, now);
    if (this.isCutOff(now)) this.host.cutOff();
    this.arm(now);
  }

  /** Accuses peers with enough offences, as the incarnation that committed them. */
  private accuse(now: Nanos): void {
    const { agreement, context } = this;
    if (this.offencesMost === 0 || agreement === null) return;
    for (const core of context.offences.provenAgainst(this.offencesMost)) {
      const incarnation = context.monitors.get(core)?.incarnation;
      if (incarnation !== undefined) agreement.accuse({ core, incarnation }, now);
    }
  }

  private arm(now: Nanos): void {
    const { timers } = this.context;
    const wake = this.agreement?.nextWake(now) ?? Infinity;
    const at = this.context.offences.any ? Math.min(wake, now + this.settings.beaconNs / 2) : wake;
    // Even a timer that is due: if every message postponed it, it would never fire under a flood.
    if (this.timer !== null && this.timerAt <= at) return;
    timers.cancel(this.timer);
    this.timerAt = at;
    this.timer = at === Infinity ? null : timers.set(at, this.fire);
  }

  private readonly fire = (now: Nanos): void => {
    this.timer = null;
    this.tick(now);
  };

  private install(view: View, now: Nanos): void {
    const { context } = this;
    const before = this.installed.at(-1)?.view;
    const gone = before?.members.filter((member) => !isMember(view, member)) ?? [];
    const cores = (list: readonly Member[]): number[] => list.map(({ core }) => core);
    const left = cores(gone.filter((member) => this.agreement?.past.hasLeft(member) === true));
    const came = view.members.filter((member) => before === undefined || !isMember(before, member));
    const change = { joined: cores(came), left, lost: cores(gone).filter((core) => !left.includes(core)) };
    this.installed.push({ view, at: now, ...change });
    this.lost += change.lost.length;
    if (this.installed.length > KEPT) this.installed.shift();
    context.enterView(view);
    if (before === undefined && this.agreement?.isFenced !== false) this.fence(true, now);
    context.outbox.log('view_installed', {
      view: view.number,
      leader: view.leader,
      members: cores(view.members),
      ...change,
    });
    for (const member of gone) this.host.dropped(member, `view ${view.number} goes on without it`, now);
    this.report();
    this.askToLeave(now);
  }

  private fence(fenced: boolean, now: Nanos): void {
    const { context } = this;
    context.fenced = fenced;
    if (fenced) this.fencedAt = now;
    // Everybody waits a moment for a first lease.
    if (!this.hadLease) {
      this.hadLease = !fenced;
      if (!fenced) context.outbox.push({ type: 'takes_part', view: context.view });
    } else if (fenced) context.outbox.log('core_fenced', { view: context.view });
    else context.outbox.log('core_unfenced', { view: context.view, fenced_ms: (now - this.fencedAt) / 1e6 });
    this.host.fenced(fenced, now);
  }

  private exclude(view: View, now: Nanos): void {
    if (this.leaving !== null) return this.hasLeft(this.leaving.left, now);
    this.host.excluded(`view ${view.number} goes on without this incarnation; a new one may take its place`);
  }

  /** Whether a link to a core is open. */
  isHeard(core: number): boolean {
    const peer = this.context.endpoint.peers.get(core);
    return peer !== undefined && peer.link !== 0;
  }

  /** Membership as this core sees it. */
  describe(now: Nanos): CoreView {
    return describeView(this.context, this.agreement, this.settings, this.installed, now);
  }
}

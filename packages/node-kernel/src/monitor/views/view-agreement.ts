/**
 * Membership is the view. Guarantees, for any loss, delay, reordering, hang and crash of members:
 *   V1 at any time at most one view has a majority of valid leases, and only members with a valid lease act;
 *   V3 every member installs the same sequence of views, from its first on.
 * Assumes clocks within the drift margin, and that no message is forged. Leaders are elected by need: a holder of a
 * valid lease refuses its vote, so a leader with a majority is never disturbed by a core that hears less (A–B–C does
 * not oscillate).
 */
import { known } from '@mk/monitor-proto/assert';
import { nextHeartbeat } from '@mk/monitor-proto/endpoint/heartbeat';
import { type CoreId, type Nanos, NO_CORE } from '@mk/monitor-proto/ids';
import { Acceptor } from './acceptor.ts';
import { type ElectionHost, Elections } from './elections.ts';
import { Leadership } from './leadership.ts';
import { Lease } from './lease.ts';
import { LinkWatch } from './link-watch.ts';
import { Newcomers } from './newcomers.ts';
import { PastViews } from './past-views.ts';
import { Quarantine } from './quarantine.ts';
import type { ViewPort } from './view-port.ts';
import { Wish } from './wish.ts';
import type { ViewMessage, ViewMessageOf } from './messages.ts';
import { compareBallots, isDead, isMember, mayFollow, memberIn, nextEpoch, rankOf } from './view.ts';
import type { Ballot, Member, View, ViewSettings } from './view.ts';

/** Pause between two candidates that stand because their leader is proven dead. */
const SUCCESSION_TURN: Nanos = 25_000_000;
/** Longest pause before a newcomer asks again. */
const RETRY_MOST: Nanos = 500_000_000;

export class ViewAgreement {
  private installedView: View | null = null;
  readonly past = new PastViews();
  private acceptor: Acceptor | null = null;
  private leadership: Leadership | null = null;
  private readonly lease: Lease;
  private readonly watch: LinkWatch;
  /** Proven deaths: the highest incarnation of each core that is certainly dead. */
  private readonly dead = new Map<CoreId, number>();
  private readonly newcomers: Newcomers;
  private readonly quarantine: Quarantine;
  /** While not a member: its wish to be taken in. */
  private readonly wish: Wish;
  /** When a leader with a lease of its own was last heard. */
  private leaderHeardAt: Nanos = 0;
  private followed: CoreId | null = null;
  private nextProbe: Nanos = 0;
  private readonly elections: Elections;
  /** A beacon of a view that this core has yet to install: answered then, not a beacon interval later. */
  private early: { readonly from: Member; readonly beacon: ViewMessageOf<'view_beacon'> } | null = null;
  private fenced = true;
  private excluded = false;
  private leaving = false;
  private readonly installed = (): View => known(this.installedView, 'the view');
  private readonly accepting = (): Acceptor => known(this.acceptor, 'the acceptor');

  constructor(
    readonly self: Member,
    private readonly port: ViewPort,
    private readonly settings: ViewSettings,
    /** The cores that this one asks to be taken in while it is not a member. */
    private readonly contacts: () => readonly CoreId[],
  ) {
    this.lease = new Lease(settings.leaseNs);
    this.watch = new LinkWatch(settings, port);
    this.newcomers = new Newcomers(settings);
    this.quarantine = new Quarantine(self.core, port.send, (accusation) => port.quarantined(accusation));
    this.wish = new Wish(self, contacts, (core, message) => port.send(core, message), settings);
    this.elections = new Elections(self.core, settings, this.electionHost());
  }

  private electionHost(): ElectionHost {
    return {
      view: this.installed,
      acceptor: this.accepting,
      dead: this.dead,
      isLeaderDead: () => this.isLeaderDead,
      rank: () => rankOf(this.installed(), this.self.core, this.dead),
      leader: () => this.followed,
      send: (core, message) => this.port.send(core, message),
      leads: (now) => this.leadership !== null && now < this.leadership.leaseUntil,
      missesLeader: (now) => this.missesLeader(now),
      resign: () => {
        if (this.leadership !== null) this.lease.restart(this.leadership.leaseUntil);
        this.leadership = null;
      },
      lead: (ballot, oldLeasesUntil, adopted, now) => this.lead(ballot, now, oldLeasesUntil, -Infinity, adopted),
    };
  }

  get view(): View | null {
    return this.installedView;
  }

  get leader(): CoreId | null {
    return this.leadership === null ? this.followed : this.self.core;
  }

  get isFenced(): boolean {
    return this.fenced;
  }

  /** Whether this core has asked to leave: it no longer acts, but votes until it is out. */
  get isLeaving(): boolean {
    return this.leaving;
  }

  /** Whether this core may have an effect outside itself. Ask with the time of the effect. */
  mayAct(now: Nanos): boolean {
    return this.installedView !== null && !this.excluded && !this.leaving && now < this.leaseUntil;
  }

  /** Fences at once when the lease has expired, whatever comes next. */
  checkFence(now: Nanos): void {
    if (!this.fenced && now >= this.leaseUntil) this.updateFence(now);
  }

  /** This core's observations: suspected links, proven deaths, and newcomers. */
  sightings(now: Nanos) {
    const dead = [...this.dead].map(([core, incarnation]) => ({ core, incarnation }));
    const accused = this.quarantine.accusations.map(({ core, by }) => ({ core, by: [...by] }));
    return { suspects: this.watch.suspects(now), dead, newcomers: this.newcomers.heard(now), accused };
  }

  /** Founds the first view of a machine; the founder leads it. */
  found(view: View, now: Nanos): void {
    this.install(view, now);
    if (view.leader === this.self.core) this.lead({ round: 0, core: this.self.core }, now, now);
  }

  proofOfDeath({ core, incarnation }: Member, now: Nanos): void {
    if ((this.dead.get(core) ?? 0) >= incarnation) return;
    this.dead.set(core, incarnation);
    if (this.isLeaderDead) {
      const turn = 1 + rankOf(this.installed(), this.self.core, this.dead);
      this.elections.nextCandidacy = now + turn * Math.min(SUCCESSION_TURN, this.settings.beaconNs / 20);
    }
    this.leadership?.tick(now);
    this.updateFence(now);
  }

  /** This core has proof that a member misbehaves. */
  accuse(member: Member, now: Nanos): void {
    if (!this.quarantine.accuse(this.self.core, [member])) return;
    this.quarantine.say(this.leader);
    this.leadership?.tick(now);
  }

  /**
   * An operator's word that no majority of the view is left: this core and these others go on as a view of a new epoch.
   * It gives up whatever a surviving majority agrees on (V1 no longer holds), so only a person may call this.
   */
  force(others: readonly Member[], now: Nanos): View {
    const members = [this.self, ...others].sort((a, b) => a.core - b.core);
    const view = { number: nextEpoch(this.installedView?.number ?? 0), members, leader: this.self.core };
    this.excluded = false;
    for (const { core } of others) this.port.send(core, this.past.word([view]));
    this.install(view, now);
    this.lead({ round: 0, core: this.self.core }, now, now);
    return view;
  }

  /** Stops acting, and votes until a view goes on without it. */
  leave(now: Nanos): void {
    this.leaving = true;
    this.updateFence(now);
  }

  /** When `tick` is next due, at the latest. */
  nextWake(now: Nanos): Nanos {
    const probe = this.installedView === null && this.contacts().length === 0 ? Infinity : this.nextProbe;
    const wakes = [probe, this.leadership?.nextWake(now) ?? Infinity];
    if (!this.isCalm(now)) wakes.push(now + this.settings.beaconNs / 2);
    if (this.isLeaderDead && this.elections.nextCandidacy > now) wakes.push(this.elections.nextCandidacy);
    if (!this.fenced) wakes.push(this.leaseUntil);
    return Math.max(now + 1, Math.min(...wakes));
  }

  /** Whether this core follows a heard leader, with a lease: nothing happens between two probes, so it sleeps. */
  private isCalm(now: Nanos): boolean {
    return !this.fenced && this.leadership === null && !this.missesLeader(now + this.settings.beaconNs);
  }

  tick(now: Nanos): void {
    this.watch.ran(now);
    this.updateFence(now);
    if (this.excluded) return;
    if (now >= this.nextProbe) this.probe(now);
    if (this.installedView === null) return;
    this.leadership?.tick(now);
    this.stepDownIfForsaken(now);
    if (this.leadership === null && now >= this.elections.nextCandidacy && this.missesLeader(now))
      this.elections.stand(now);
    this.updateFence(now);
  }

  receive(from: Member, message: ViewMessage, now: Nanos): void {
    if (this.excluded || this.quarantine.isOut(from.core)) return;
    const view = this.installedView;
    if (message.type === 'view_install') return this.learn(message.views, now, message.left, from.core);
    if (message.type === 'view_join') return this.wantsIn(from, message, now);
    if (message.type === 'view_join_reply') {
      const leader = message.leader === NO_CORE ? null : message.leader;
      if (message.incarnation === this.self.incarnation && this.wish.heardBy(from.core, leader, now)) this.probe(now);
      return undefined;
    }
    if (message.type === 'view_beacon' && message.view > (view?.number ?? 0)) this.early = { from, beacon: message };
    if (view === null) return undefined;
    this.watch.ran(now);
    // Its link works, whatever view it has: a core that follows its old leader a lease longer is behind for as long.
    if (isMember(view, from)) this.watch.heard(from.core, now);
    if (message.view < view.number || !isMember(view, from)) return this.past.teach(from.core, message.view, this.port);
    // A core that is ahead sends this one its views as soon as it hears from it.
    if (message.view > view.number) return this.port.send(from.core, { type: 'view_probe', view: view.number });
    this.handle(from.core, message, now);
    return this.updateFence(now);
  }

  private handle(from: CoreId, message: ViewMessage, now: Nanos): void {
    switch (message.type) {
      case 'view_beacon':
        return this.beacon(from, message, now);
      case 'view_beacon_reply':
        return this.leadership?.replied(from, message, now);
      case 'view_newcomers':
        return this.leadership?.heardNewcomers(from, message.newcomers, now);
      case 'view_leave':
        this.past.noteLeft(this.installed().members.filter(({ core }) => core === from));
        return this.leadership?.asksToLeave(from, now);
      case 'view_accuse':
        this.quarantine.accuse(from, message.accused);
        return this.leadership?.tick(now);
      case 'view_vote_request':
        return this.elections.voteRequest(from, message, now);
      case 'view_vote_reply':
        return this.elections.voteReply(from, message, now);
      case 'view_prepare':
        return this.elections.prepare(from, message, now);
      case 'view_promise':
        return this.elections.promise(from, message, now);
      case 'view_accept':
        if (this.elections.follows(from, message.proposal.ballot, now) && this.accepting().accept(message.proposal))
          this.port.send(from, { type: 'view_accepted', view: message.view, ballot: message.proposal.ballot });
        return undefined;
      case 'view_accepted':
        return this.leadership?.accepted(from, message.ballot, now);
      case 'view_probe_request':
        return this.port.send(from, { type: 'view_probe', view: message.view });
      default:
        return undefined; // its arrival says it all
    }
  }

  /** Until when this core may act. */
  get leaseUntil(): Nanos {
    // An earlier leader's acknowledgements still count: the next leader waits for such leases to expire.
    return Math.max(this.lease.until, this.leadership?.leaseUntil ?? 0);
  }

  private updateFence(now: Nanos): void {
    const fenced = !this.mayAct(now);
    if (fenced === this.fenced) return;
    this.fenced = fenced;
    this.port.fenced(fenced, now);
  }

  private probe(now: Nanos): void {
    const view = this.installedView;
    if (view === null) {
      if (this.contacts().length === 0) return;
      this.nextProbe = now + Math.min(this.settings.beaconNs, RETRY_MOST);
      return this.wish.say(now);
    }
    this.nextProbe = nextHeartbeat(now, this.settings.beaconNs, this.settings.hostClockNs);
    this.quarantine.say(this.leader);
    this.watch.probe(view.number, now);
  }

  private beacon(
    from: CoreId,
    { view, ballot, sequence, acked, leads }: ViewMessageOf<'view_beacon'>,
    now: Nanos,
  ): void {
    if (!this.elections.follows(from, ballot, now) || compareBallots(ballot, this.accepting().promised) < 0) return;
    this.accepting().promised = ballot;
    this.elections.highestRound = Math.max(this.elections.highestRound, ballot.round);
    this.followed = from;
    if (this.leadership !== null) this.leadership = null;
    if (leads) {
      this.leaderHeardAt = now;
      this.elections.candidacy = null;
    }
    this.lease.acknowledged(acked);
    this.lease.sent(sequence, now);
    const suspects = this.watch.suspects(now);
    const newcomers = this.newcomers.heard(now);
    this.port.send(from, { type: 'view_beacon_reply', view, sequence, suspects, newcomers });
  }

  private get isLeaderDead(): boolean {
    if (this.installedView === null || this.leadership !== null) return false;
    const leader = memberIn(this.installedView, this.followed ?? this.installedView.leader);
    return leader !== undefined && isDead(this.dead, leader);
  }

  private missesLeader(now: Nanos): boolean {
    return this.isLeaderDead || now >= this.leaderHeardAt + this.settings.leaseNs;
  }

  /** A leader without a majority's answers stops leading: after twice its lease it competes like everybody else. */
  private stepDownIfForsaken(now: Nanos): void {
    const leadership = this.leadership;
    if (leadership === null || now < leadership.confirmedAt + 2 * this.settings.leaseNs) return;
    this.leadership = null;
    this.followed = null;
    this.lease.restart(0);
  }

  private lead(
    ballot: Ballot,
    now: Nanos,
    oldLeasesUntil: Nanos,
    toldAt = -Infinity,
    adopted: View | null = null,
  ): void {
    this.elections.highestRound = Math.max(this.elections.highestRound, ballot.round);
    const port = {
      self: this.self,
      send: (core: CoreId, message: ViewMessage) => this.port.send(core, message),
      suspects: (at: Nanos) => [...this.watch.suspects(at), ...this.quarantine.out],
      isGuilty: (core: CoreId) => this.quarantine.isOut(core),
      acceptOwn: (proposal: Parameters<Acceptor['accept']>[0]) => this.accepting().accept(proposal),
      chosen: (view: View, at: Nanos) => this.chosen(view, at),
    };
    const mandate = { view: this.installed(), ballot, oldLeasesUntil, toldAt };
    const facts = { dead: this.dead, newcomers: this.newcomers, history: this.past.views };
    this.leadership = new Leadership(mandate, port, this.settings, facts, now);
    this.leadership.begin(adopted, now);
  }

  private chosen(view: View, now: Nanos): void {
    const told = new Map([...this.installed().members, ...view.members].map((member) => [member.core, member]));
    for (const { core } of told.values()) if (core !== this.self.core) this.port.send(core, this.past.word([view]));
    this.learn([view], now);
  }

  private wantsIn(from: Member, { member, hears }: ViewMessageOf<'view_join'>, now: Nanos): void {
    const view = this.installedView;
    if (view === null || from.core !== member.core) return;
    const known = memberIn(view, member.core)?.incarnation ?? 0;
    // A newcomer starts from the view that admitted it; earlier views do not concern it.
    if (known === member.incarnation) this.port.send(member.core, this.past.word(this.past.sinceJoinOf(member.core)));
    if (known >= member.incarnation) return;
    const isNew = this.newcomers.asked(member, hears, now);
    const { core, incarnation } = member;
    this.port.send(core, { type: 'view_join_reply', incarnation, leader: this.leader ?? NO_CORE });
    if (this.leadership !== null) this.leadership.tick(now);
    else if (isNew && this.followed !== null) {
      const newcomers = this.newcomers.heard(now);
      this.port.send(this.followed, { type: 'view_newcomers', view: view.number, newcomers });
    }
  }

  private learn(views: readonly View[], now: Nanos, left: readonly Member[] = [], from = this.self.core): void {
    if (from !== this.self.core && this.installedView !== null && !this.elections.believes(from, views, now)) return;
    this.past.noteLeft(left);
    for (const view of views)
      if (!this.excluded && mayFollow(this.installedView, view, this.self)) this.install(view, now);
  }

  private install(view: View, now: Nanos): void {
    const wasLeading = this.leadership;
    const before = this.installedView;
    this.installedView = view;
    this.past.add(view);
    this.elections.install();
    this.leadership = null;
    this.followed = view.leader;
    this.newcomers.install(view);
    this.quarantine.install(view);
    if (!isMember(view, this.self)) {
      this.excluded = true;
      this.updateFence(now);
      return this.port.excluded(view, now);
    }
    this.acceptor = new Acceptor(view);
    this.leaderHeardAt = now;
    this.watch.install(view, this.self.core, now);
    this.port.installed(view, now);
    if (before !== null && view.leader === this.self.core && wasLeading !== null) {
      const oldLeasesUntil = now + this.settings.leaseNs * (1 + this.settings.drift);
      this.lead({ round: 0, core: this.self.core }, now, oldLeasesUntil, now);
      this.leadership!.confirmedAt = wasLeading.confirmedAt;
    }
    const early = this.early;
    if (early?.beacon.view === view.number && isMember(view, early.from))
      this.beacon(early.from.core, early.beacon, now);
    return this.updateFence(now);
  }
}

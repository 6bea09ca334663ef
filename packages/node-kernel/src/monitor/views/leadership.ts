/**
 * The leader's half: tracks the answers to beacons and the state of links, and proposes the next view.
 *
 * It proposes a view without a core only when that core's lease has certainly expired: L and the drift margin after the
 * last of its answers that was acknowledged, or when its death is proven. Hence V1: no two views make progress at one
 * time.
 */
import { known } from '@mk/monitor-proto/assert';
import { nextHeartbeat } from '@mk/monitor-proto/endpoint/heartbeat';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { cutOf, type Suspicion } from './cut.ts';
import type { LeadershipPort } from './leadership-port.ts';
import type { Facts, Mandate } from './mandate.ts';
import type { Proposal, ViewMessageOf } from './messages.ts';
import {
  type Ballot,
  isDead,
  isEverybodyLeft,
  isQuorum,
  majorityOf,
  type Member,
  neighboursOf,
  type View,
  type ViewSettings,
} from './view.ts';

interface Follower {
  readonly member: Member;
  /** The newest answer and when it came; 0: none yet. */
  sequence: number;
  /** When the newest beacon was sent that granted a lease and that it has answered. */
  toldAt: Nanos;
  heardAt: Nanos;
  /** When the newest acknowledged answer had come. */
  ackedAt: Nanos;
  suspects: readonly CoreId[];
  newcomers: readonly CoreId[];
}

const SILENT_INTERVALS = 2.5;
/** A healed link is heard within an interval, and reported within the next; one more as a margin. */
const HEALING_INTERVALS = 3;
/** Newcomers are collected for this long, or a quarter of a beacon interval, so that a stampede makes few views. */
const JOIN_WINDOW: Nanos = 125_000_000;
/** A member gets its lease at most this long after its first answer: a core that hangs delays nobody else. */
const FIRST_LEASE: Nanos = 25_000_000;
/** Beacons whose answers still count, beside one for each follower's first answer. */
const MOST_SENT = 64;

interface OpenProposal {
  readonly proposal: Proposal;
  readonly accepted: Set<CoreId>;
  /** When it was made, nobody else could be promised a ballot. */
  readonly secured: boolean;
}

export class Leadership {
  /** The latest time since which a majority has answered this core's beacons. */
  confirmedAt: Nanos;
  private readonly followers: Map<CoreId, Follower>;
  private readonly sentAt = new Map<number, { readonly at: Nanos; readonly leads: boolean }>();
  /**
   * Whose first answer is to be acknowledged, and when: nobody waits an interval for its lease. They alone get a beacon
   * for it: one to everybody for each few that answer late would keep a large machine busy with nothing else.
   */
  private readonly unacknowledged = new Set<CoreId>();
  private acknowledgeAt: Nanos = Infinity;
  /** Not everybody has answered yet. */
  private fresh = true;
  private sequence = 0;
  private nextBeacon: Nanos;
  /** The members that the next view would lose and gain, as a key, and since when; null: none. */
  private change: { readonly key: string; readonly since: Nanos } | null = null;
  private wantedSince: Nanos | null = null;
  /** When there last was no majority whose links all worked. */
  private stuckAt: Nanos = -Infinity;
  private leaving: ReadonlySet<CoreId> = new Set();
  /**
   * Cores that have stopped acting and ask for a view without them: as good as dead to the next view, but voters of
   * this one.
   */
  private readonly asked = new Set<CoreId>();
  private proposal: OpenProposal | null = null;
  /** A view that is to be proposed unchanged, before any other. */
  private adopted: View | null = null;

  readonly view: View;
  readonly ballot: Ballot;

  constructor(
    private readonly mandate: Mandate,
    private readonly port: LeadershipPort,
    private readonly settings: ViewSettings,
    private readonly facts: Facts,
    now: Nanos,
  ) {
    const { view, ballot, toldAt } = mandate;
    this.view = view;
    this.ballot = ballot;
    this.confirmedAt = now - settings.leaseNs;
    this.nextBeacon = now;
    this.followers = new Map(
      view.members
        .filter(({ core }) => core !== port.self.core)
        .map((member) => [
          member.core,
          { member, sequence: 0, toldAt, heardAt: now, ackedAt: 0, suspects: [], newcomers: [] },
        ]),
    );
  }

  /** The leader's own lease: valid before this time. */
  get leaseUntil(): Nanos {
    return this.confirmedAt + this.settings.leaseNs;
  }

  /**
   * `adopted`: a view that a majority may have accepted before. It is proposed unchanged, before any view of this
   * leader's own: a leader that is alone with the dead has its lease, and a quorum, at once.
   */
  begin(adopted: View | null, now: Nanos): void {
    if (adopted === null) return this.tick(now);
    this.adopted = adopted;
    this.leaving = this.leftOutBy(adopted);
    this.beacon(now);
    return this.proposeAdopted(adopted, now);
  }

  tick(now: Nanos): void {
    if (now >= this.nextBeacon) this.beacon(now);
    else if (now >= this.acknowledgeAt) this.acknowledge(now);
    if (this.proposal !== null) {
      // The proposal may have waited only for a proof of death.
      if (this.isChosen(this.proposal, now)) this.port.chosen(this.proposal.proposal.view, now);
      return;
    }
    this.confirm();
    this.acknowledgeSoon(now);
    this.consider(now);
  }

  nextWake(now: Nanos): Nanos {
    const beacon = Math.min(this.nextBeacon, this.acknowledgeAt);
    if (this.change === null || this.proposal !== null) return beacon;
    const window = this.change.since + this.joinWindow;
    return window > now ? Math.min(beacon, window) : beacon;
  }

  replied(from: CoreId, { sequence, suspects, newcomers }: ViewMessageOf<'view_beacon_reply'>, now: Nanos): void {
    const follower = this.followers.get(from);
    const sent = this.sentAt.get(sequence);
    if (follower === undefined || sequence <= follower.sequence || sent === undefined) return;
    if (follower.sequence === 0) this.unacknowledged.add(from);
    follower.sequence = sequence;
    if (sent.leads) follower.toldAt = sent.at;
    follower.heardAt = now;
    follower.suspects = suspects;
    follower.newcomers = newcomers;
    this.confirm();
    this.acknowledgeSoon(now);
    if (this.fresh && now < this.leaseUntil && this.haveAnswered()) {
      this.fresh = false;
      this.acknowledge(now);
    }
    if (this.proposal === null) this.consider(now);
  }

  /** Notes the newcomers that a member hears. */
  heardNewcomers(from: CoreId, newcomers: readonly CoreId[], now: Nanos): void {
    const follower = this.followers.get(from);
    if (follower === undefined) return;
    follower.newcomers = newcomers;
    if (this.proposal === null) this.consider(now);
  }

  asksToLeave(from: CoreId, now: Nanos): void {
    if (!this.followers.has(from)) return;
    this.asked.add(from);
    if (this.proposal === null) this.consider(now);
  }

  accepted(from: CoreId, ballot: Ballot, now: Nanos): void {
    const open = this.proposal;
    if (open === null || ballot.round !== this.ballot.round || ballot.core !== this.ballot.core) return;
    if (from !== this.port.self.core && !this.followers.has(from)) return;
    open.accepted.add(from);
    if (this.isChosen(open, now)) this.port.chosen(open.proposal.view, now);
  }

  private beacon(now: Nanos): void {
    this.nextBeacon = nextHeartbeat(now, this.settings.beaconNs, this.settings.hostClockNs);
    this.tell(this.followers.keys(), now);
    if (this.proposal !== null) for (const core of this.followers.keys()) this.ask(core);
  }

  /** Without a lease of its own it acknowledges nothing. */
  private acknowledgeSoon(now: Nanos): void {
    if (this.unacknowledged.size > 0 && now < this.leaseUntil)
      this.acknowledgeAt = Math.min(this.acknowledgeAt, now + FIRST_LEASE);
  }

  private acknowledge(now: Nanos): void {
    this.tell([...this.unacknowledged], now);
  }

  private tell(cores: Iterable<CoreId>, now: Nanos): void {
    const leads = now < this.leaseUntil;
    this.acknowledgeAt = Infinity;
    this.sequence += 1;
    this.sentAt.set(this.sequence, { at: now, leads });
    // Late answers to the first beacon count as well: as many may follow it as there are followers.
    if (this.sentAt.size > MOST_SENT + this.followers.size) this.sentAt.delete(this.sentAt.keys().next().value!);
    for (const core of cores) {
      const follower = known(this.followers.get(core));
      const acks = leads && !this.leaving.has(core) && follower.sequence > 0;
      if (acks) follower.ackedAt = follower.heardAt;
      if (leads) this.unacknowledged.delete(core);
      this.port.send(core, {
        type: 'view_beacon',
        view: this.view.number,
        ballot: this.ballot,
        sequence: this.sequence,
        acked: acks ? follower.sequence : 0,
        leads,
      });
    }
    this.confirm();
  }

  /** The latest time since which a majority, this core included, has answered. */
  private confirm(): void {
    const newest = this.sentAt.get(this.sequence)?.at ?? -Infinity;
    const time = this.quorumTime(newest, ({ sequence }) => this.sentAt.get(sequence)?.at ?? -Infinity);
    if (time > this.confirmedAt) this.confirmedAt = time;
  }

  /** The latest time since which enough members have spoken: a majority, or all that live (`isQuorum`). */
  private quorumTime(own: Nanos, timeOf: (follower: Follower) => Nanos): Nanos {
    const followers = [...this.followers.values()];
    const times = [own, ...followers.map(timeOf)].sort((a, b) => b - a);
    const majority = majorityOf(this.view.members.length);
    const living = followers.filter(({ member }) => !isDead(this.facts.dead, member));
    const everybody = living.length + majority > followers.length ? Math.min(own, ...living.map(timeOf)) : -Infinity;
    return Math.max(known(times[majority - 1]), everybody);
  }

  /**
   * Until when nobody else can be promised a ballot: a majority has heard of this leader's lease and refuses its votes.
   * If all others are then proven dead, only the living are left to decide.
   */
  private get securedUntil(): Nanos {
    const { leaseNs, drift } = this.settings;
    const majority = majorityOf(this.view.members.length);
    const times = [Infinity, ...[...this.followers.values()].map(({ toldAt }) => toldAt)].sort((a, b) => b - a);
    return Math.min(known(times[majority - 1]), this.confirmedAt) + leaseNs * (1 - drift);
  }

  private isChosen({ accepted, secured }: OpenProposal, now: Nanos): boolean {
    if (isQuorum(this.view, accepted, this.facts.dead)) return true;
    const { members } = this.view;
    return (secured || now < this.securedUntil) && isEverybodyLeft(members, accepted, this.facts.dead);
  }

  private haveAnswered(): boolean {
    return [...this.followers.values()].every(
      ({ sequence, member }) => sequence > 0 || isDead(this.facts.dead, member),
    );
  }

  private consider(now: Nanos): void {
    if (this.adopted !== null) return this.proposeAdopted(this.adopted, now);
    const cores = this.view.members.map(({ core }) => core);
    const dead = this.view.members.filter((member) => isDead(this.facts.dead, member) || this.asked.has(member.core));
    const alive = cores.filter((core) => !dead.some((member) => member.core === core));
    const kept = cutOf(alive, this.port.self.core, this.suspicions(now));
    const leaving = cores.filter((core) => !kept.includes(core));
    const coming = this.coming(kept, now);
    this.leaving = new Set(leaving);
    if (leaving.length === 0 && coming.length === 0) {
      this.change = null;
      this.wantedSince = null;
      return;
    }
    if (!this.mayKeep(kept, alive, now)) {
      this.change = null;
      this.wantedSince = null;
      this.stuckAt = now;
      return;
    }
    this.wantedSince ??= now;
    const key = `${leaving.join()}|${coming.map(({ core, incarnation }) => `${core}.${incarnation}`).join()}`;
    if (this.change?.key !== key) this.change = { key, since: now };
    if (!this.mayPropose(leaving, dead, now)) return;
    const members = this.view.members.filter(({ core }) => kept.includes(core)).concat(coming);
    members.sort((a, b) => a.core - b.core);
    this.propose({ number: this.view.number + 1, members, leader: this.port.self.core }, now);
  }

  /**
   * Whoever proposed it first waited for leases to expire, but leaders since then that had not heard of it may have
   * granted some to cores that it leaves out.
   */
  private proposeAdopted(adopted: View, now: Nanos): void {
    const leftOut = this.leftOutBy(adopted);
    const waits = (core: CoreId): boolean => {
      const { member } = known(this.followers.get(core));
      return !isDead(this.facts.dead, member) && now < this.leaseEndOf(core);
    };
    if (!this.isGuiltyAlone([...leftOut]) && [...leftOut].some(waits)) return;
    this.adopted = null;
    this.propose(adopted, now);
  }

  /** The followers that are not members of a view. */
  private leftOutBy(view: View): ReadonlySet<CoreId> {
    const staying = new Set(view.members.map(({ core }) => core));
    return new Set([...this.followers.keys()].filter((core) => !staying.has(core)));
  }

  private mayKeep(kept: readonly CoreId[], alive: readonly CoreId[], now: Nanos): boolean {
    const majority = majorityOf(this.view.members.length);
    if (kept.length >= majority) return true;
    const fewDead = this.view.members.length - alive.length < majority;
    return kept.length === alive.length && (fewDead || now < this.securedUntil);
  }

  private coming(kept: readonly CoreId[], now: Nanos): Member[] {
    const self = this.port.self.core;
    const heardHere = this.facts.newcomers.heard(now);
    const heardBy = (by: CoreId, core: CoreId): boolean =>
      by === self ? heardHere.includes(core) : this.followers.get(by)?.newcomers.includes(core) === true;
    const needed = (core: CoreId): CoreId[] => neighboursOf(kept, core, self, this.settings.observers);
    return this.facts.newcomers
      .ready(needed, heardBy, this.facts.history, now)
      .filter(({ core }) => !kept.includes(core));
  }

  private mayPropose(leaving: readonly CoreId[], dead: readonly Member[], now: Nanos): boolean {
    if (now >= this.leaseUntil) return false;
    const proven = leaving.every((core) => dead.some((member) => member.core === core));
    const { beaconNs, leaseNs } = this.settings;
    const window = leaving.length === 0 ? this.joinWindow : beaconNs;
    const stable = now - known(this.change).since >= window || now - known(this.wantedSince) >= leaseNs;
    if (leaving.length > 0 && (proven || this.isGuiltyAlone(leaving))) return true;
    // Links heal one by one, as seen from here: nobody was dropped meanwhile, so nobody need be.
    if (leaving.length > 0 && now < this.stuckAt + HEALING_INTERVALS * beaconNs) return false;
    return stable && leaving.every((core) => dead.some((m) => m.core === core) || now >= this.leaseEndOf(core));
  }

  /**
   * A guilty core does not keep to its lease, so nobody waits for it. One at a time: without it and a core that has yet
   * to install the next view, the old view has no majority of leases once the next one does (V1); with two of five it
   * could have.
   */
  private isGuiltyAlone(leaving: readonly CoreId[]): boolean {
    return leaving.length === 1 && this.port.isGuilty(known(leaving[0]));
  }

  private get joinWindow(): Nanos {
    return Math.min(JOIN_WINDOW, this.settings.beaconNs / 4);
  }

  private leaseEndOf(core: CoreId): Nanos {
    const { leaseNs, drift } = this.settings;
    const own = known(this.followers.get(core)).ackedAt + leaseNs * (1 + drift);
    return Math.max(own, this.mandate.oldLeasesUntil);
  }

  private suspicions(now: Nanos): Suspicion[] {
    const self = this.port.self.core;
    const silent = now - SILENT_INTERVALS * this.settings.beaconNs;
    const found: Suspicion[] = this.port.suspects(now).map((core) => [self, core]);
    for (const [core, { heardAt, suspects }] of this.followers) {
      if (heardAt < silent) found.push([self, core]);
      else for (const other of suspects) found.push([core, other]);
    }
    return found;
  }

  private propose(view: View, now: Nanos): void {
    const proposal = { ballot: this.ballot, view };
    if (!this.port.acceptOwn(proposal)) return;
    // Cores left out get no lease from now on, even if somebody else proposed the view first.
    this.leaving = this.leftOutBy(view);
    this.proposal = { proposal, accepted: new Set(), secured: now < this.securedUntil };
    for (const core of this.followers.keys()) this.ask(core);
    this.accepted(this.port.self.core, this.ballot, now);
  }

  private ask(core: CoreId): void {
    const { proposal, accepted } = known(this.proposal);
    if (!accepted.has(core)) this.port.send(core, { type: 'view_accept', view: this.view.number, proposal });
  }
}

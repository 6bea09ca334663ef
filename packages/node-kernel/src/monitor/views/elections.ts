/**
 * Elects a leader when the present one is missed: a member stands, gets votes, and is promised a ballot. While a member
 * hears its leader only the leader's word counts (decision 0196): it follows no other ballot, and believes no other
 * news of views except the one that it has accepted itself.
 */
import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Acceptor } from './acceptor.ts';
import { Candidacy } from './candidacy.ts';
import type { ViewMessage, ViewMessageOf } from './messages.ts';
import { type Ballot, compareBallots, type Deaths, isSameView, type View, type ViewSettings } from './view.ts';

/** An election's view of its member. */
export interface ElectionHost {
  view(): View;
  acceptor(): Acceptor;
  readonly dead: Deaths;
  isLeaderDead(): boolean;
  /** This core's rank among the living members. */
  rank(): number;
  /** The leader that this core follows. */
  leader(): CoreId | null;
  send(core: CoreId, message: ViewMessage): void;
  /** Whether this core leads, with a lease. */
  leads(now: Nanos): boolean;
  missesLeader(now: Nanos): boolean;
  /** Another core is promised a higher ballot. */
  resign(): void;
  /** A majority has promised; `adopted`: the view that a majority may have accepted before. */
  lead(ballot: Ballot, oldLeasesUntil: Nanos, adopted: View | null, now: Nanos): void;
}

/**
 * First pause before a candidate with a dead leader retries; it doubles each time, so that slow answers still count.
 */
const RETRY_FIRST: Nanos = 500_000_000;
/** Most doublings of that pause. */
const RETRY_DOUBLINGS = 6;

/**
 * A ballot so many rounds ahead is not a candidate's: each candidate stands in the next round, and numbers must not run
 * out.
 */
const ROUNDS_AHEAD = 1000;

export class Elections {
  candidacy: Candidacy | null = null;
  nextCandidacy: Nanos = 0;
  highestRound = 0;
  /** How often this core has stood in this view. */
  private attempts = 0;
  /** Votes that this core has given: they bind it for a lease, even if it hears its leader again meanwhile. */
  private readonly votes = new Map<CoreId, { readonly round: number; readonly until: Nanos }>();

  constructor(
    private readonly self: CoreId,
    private readonly settings: ViewSettings,
    private readonly host: ElectionHost,
  ) {}

  stand(now: Nanos): void {
    const view = this.host.view();
    // Ranks take turns, so that two candidates rarely meet; a failed one waits for a whole cycle of turns.
    this.nextCandidacy = now + this.pause();
    this.attempts += 1;
    this.candidacy = new Candidacy(view, this.self, this.highestRound + 1, this.host.dead);
    const { round } = this.candidacy;
    for (const { core } of view.members)
      if (core !== this.self) this.host.send(core, { type: 'view_vote_request', view: view.number, round });
    this.voteReply(this.self, { type: 'view_vote_reply', view: view.number, round, granted: true }, now);
  }

  /** A new view: nobody stands, and nobody has failed. */
  install(): void {
    this.candidacy = null;
    this.attempts = 0;
    this.highestRound = 0;
    this.votes.clear();
  }

  /** Whether a core may lead, or ask to, with a ballot. */
  follows(from: CoreId, ballot: Ballot, now: Nanos): boolean {
    if (ballot.core !== from || !this.isNear(ballot.round)) return false;
    return compareBallots(ballot, this.host.acceptor().promised) === 0 || this.isOpen(now);
  }

  /**
   * Whether to believe a core that these views are in force. A list that contains the view which this core has accepted
   * is believed as a whole: otherwise a core that lags would have to miss a leader before each view.
   */
  believes(from: CoreId, views: readonly View[], now: Nanos): boolean {
    const { number, leader } = this.host.view();
    if (this.isOpen(now)) return true;
    const next = views.find((view) => view.number === number + 1);
    const accepted = this.host.acceptor().accepted?.view;
    if (next !== undefined && accepted !== undefined && isSameView(next, accepted)) return true;
    return !this.host.leads(now) && from === (this.host.leader() ?? leader);
  }

  private isNear(round: number): boolean {
    return round <= this.highestRound + ROUNDS_AHEAD;
  }

  /** Whether nobody leads, as far as this core hears. */
  private isOpen(now: Nanos): boolean {
    return !this.host.leads(now) && this.host.missesLeader(now);
  }

  /**
   * A candidate with enough votes has promised itself its ballot: if its voters refused theirs, it could follow nobody.
   */
  private hasVoted(from: CoreId, { round, core }: Ballot, now: Nanos): boolean {
    const vote = this.votes.get(from);
    return core === from && vote?.round === round && now < vote.until;
  }

  private pause(): Nanos {
    const { beaconNs, leaseNs } = this.settings;
    if (!this.host.isLeaderDead()) return leaseNs + (this.host.rank() * beaconNs) / 2;
    const unit = Math.min(beaconNs, RETRY_FIRST) * 2 ** Math.min(this.attempts, RETRY_DOUBLINGS);
    return (1 + this.host.rank()) * unit;
  }

  voteRequest(from: CoreId, { view, round }: ViewMessageOf<'view_vote_request'>, now: Nanos): void {
    const granted = this.isOpen(now) && this.isNear(round) && round > this.host.acceptor().promised.round;
    if (granted) this.votes.set(from, { round, until: now + this.settings.leaseNs });
    this.host.send(from, { type: 'view_vote_reply', view, round, granted });
  }

  voteReply(from: CoreId, { round, granted }: ViewMessageOf<'view_vote_reply'>, now: Nanos): void {
    const candidacy = this.candidacy;
    if (!granted || candidacy?.round !== round || !candidacy.voted(from)) return;
    const { number, members } = candidacy.view;
    const ballot = known(candidacy.ballot);
    // This core has promised the ballot to itself, so its next try needs a higher one.
    this.highestRound = Math.max(this.highestRound, ballot.round);
    for (const { core } of members)
      if (core !== this.self) this.host.send(core, { type: 'view_prepare', view: number, ballot });
    if (!this.host.acceptor().prepare(ballot)) return;
    this.promise(
      this.self,
      { type: 'view_promise', view: number, ballot, accepted: this.host.acceptor().accepted },
      now,
    );
  }

  prepare(from: CoreId, { view, ballot }: ViewMessageOf<'view_prepare'>, now: Nanos): void {
    if (!this.follows(from, ballot, now) && !this.hasVoted(from, ballot, now)) return;
    if (!this.host.acceptor().prepare(ballot)) return;
    this.highestRound = Math.max(this.highestRound, ballot.round);
    this.candidacy = null;
    this.nextCandidacy = now + (this.host.isLeaderDead() ? this.pause() : this.settings.leaseNs);
    this.host.resign();
    this.host.send(from, { type: 'view_promise', view, ballot, accepted: this.host.acceptor().accepted });
  }

  promise(from: CoreId, { ballot, accepted }: ViewMessageOf<'view_promise'>, now: Nanos): void {
    const candidacy = this.candidacy;
    if (candidacy?.ballot?.round !== ballot.round || ballot.core !== this.self) return;
    if (!candidacy.promised(from, accepted)) return;
    this.candidacy = null;
    const { leaseNs, drift } = this.settings;
    // The previous leader has no majority since the promises; its last acknowledgement may have started a lease after
    // that.
    this.host.lead(ballot, now + 2 * leaseNs * (1 + drift), candidacy.adopted?.view ?? null, now);
  }
}

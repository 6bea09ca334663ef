/** Who leads when the leader is missed: a member stands, gets votes, and is promised a ballot. */
import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Acceptor } from './acceptor.ts';
import { Candidacy } from './candidacy.ts';
import type { ViewMessage, ViewMessageOf } from './messages.ts';
import type { Ballot, Deaths, View, ViewSettings } from './view.ts';

/** What an election needs of its member. */
export interface ElectionHost {
  view(): View;
  acceptor(): Acceptor;
  readonly dead: Deaths;
  isLeaderDead(): boolean;
  /** This core's rank among the living members. */
  rank(): number;
  send(core: CoreId, message: ViewMessage): void;
  /** Whether this core leads, with a lease. */
  leads(now: Nanos): boolean;
  missesLeader(now: Nanos): boolean;
  /** Somebody else is promised a higher ballot. */
  resign(): void;
  /** A majority has promised; `adopted`: the view that a majority may have accepted before. */
  lead(ballot: Ballot, oldLeasesUntil: Nanos, adopted: View | null, now: Nanos): void;
}

/**
 * First pause before a candidate with a dead leader retries; it doubles each time, so that slow answers still count.
 */
const RETRY_FIRST: Nanos = 500_000_000;
/** Doublings, at most. */
const RETRY_DOUBLINGS = 6;

export class Elections {
  candidacy: Candidacy | null = null;
  nextCandidacy: Nanos = 0;
  highestRound = 0;
  /** How often this core has stood in this view. */
  private attempts = 0;

  constructor(
    private readonly self: CoreId,
    private readonly settings: ViewSettings,
    private readonly host: ElectionHost,
  ) {}

  stand(now: Nanos): void {
    const view = this.host.view();
    // Ranks take turns, so that two candidates rarely meet; one that failed waits a whole round of turns.
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
  }

  private pause(): Nanos {
    const { beaconNs, leaseNs } = this.settings;
    if (!this.host.isLeaderDead()) return leaseNs + (this.host.rank() * beaconNs) / 2;
    const unit = Math.min(beaconNs, RETRY_FIRST) * 2 ** Math.min(this.attempts, RETRY_DOUBLINGS);
    return (1 + this.host.rank()) * unit;
  }

  voteRequest(from: CoreId, { view, round }: ViewMessageOf<'view_vote_request'>, now: Nanos): void {
    const leads = this.host.leads(now);
    const granted = !leads && this.host.missesLeader(now) && round > this.host.acceptor().promised.round;
    this.host.send(from, { type: 'view_vote_reply', view, round, granted });
  }

  voteReply(from: CoreId, { round, granted }: ViewMessageOf<'view_vote_reply'>, now: Nanos): void {
    const candidacy = this.candidacy;
    if (!granted || candidacy?.round !== round || !candidacy.voted(from)) return;
    const { number, members } = candidacy.view;
    const ballot = known(candidacy.ballot);
    // From here on promised to this core itself: its next try needs a higher one.
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
    // The previous leader has no majority since the promises; its last acknowledgement may have been a lease after
    // that.
    this.host.lead(ballot, now + 2 * leaseNs * (1 + drift), candidacy.adopted?.view ?? null, now);
  }
}

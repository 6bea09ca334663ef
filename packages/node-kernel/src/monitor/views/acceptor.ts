/**
 * Single-decree Paxos for one view number (Lamport, "Paxos made simple"), the acceptor's half. Acceptors are the members of
 * the view before, by incarnation: a core that restarted is none, so nothing has to be on a disk. Round 0 belongs to the
 * leader of the view before: all its members have promised that ballot by installing it, so the leader needs no phase 1.
 */
import type { Proposal } from './messages.ts';
import { type Ballot, compareBallots, type View } from './view.ts';

export class Acceptor {
  promised: Ballot;
  accepted: Proposal | null = null;

  /** For the view after `view`. */
  constructor(view: View) {
    this.promised = { round: 0, core: view.leader };
  }

  /** Whether the ballot is promised from now on. */
  prepare(ballot: Ballot): boolean {
    if (compareBallots(ballot, this.promised) < 0) return false;
    this.promised = ballot;
    return true;
  }

  /** Whether the proposal is accepted. */
  accept(proposal: Proposal): boolean {
    if (compareBallots(proposal.ballot, this.promised) < 0) return false;
    this.promised = proposal.ballot;
    this.accepted = proposal;
    return true;
  }
}

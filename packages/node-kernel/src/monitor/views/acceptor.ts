/**
 * Single-decree Paxos for one view number (Lamport, "Paxos made simple"), the acceptor's half. Acceptors are the
 * members of the previous view, by incarnation: a restarted core is not one, so nothing needs a disk. Round 0 belongs
 * to the previous view's leader: all members promised that ballot by installing the view, so the leader needs no phase
 * 1.
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

  /** Promises the ballot; false: it promised a higher one. */
  prepare(ballot: Ballot): boolean {
    if (compareBallots(ballot, this.promised) < 0) return false;
    this.promised = ballot;
    return true;
  }

  /** Accepts the proposal; false: it promised a higher ballot. */
  accept(proposal: Proposal): boolean {
    if (compareBallots(proposal.ballot, this.promised) < 0) return false;
    this.promised = proposal.ballot;
    this.accepted = proposal;
    return true;
  }
}

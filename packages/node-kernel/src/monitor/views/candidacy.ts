/** A member that misses its leader: asks whether others miss it too, then for promises of a higher ballot. */
import type { CoreId } from '@mk/monitor-proto/ids';
import type { Proposal } from './messages.ts';
import { type Ballot, compareBallots, type Deaths, isQuorum, type View } from './view.ts';

export class Candidacy {
  private readonly votes = new Set<CoreId>();
  private readonly promises = new Set<CoreId>();
  /** The proposal that the promisers accepted with the highest ballot: a majority may have, so it is adopted. */
  adopted: Proposal | null = null;
  ballot: Ballot | null = null;

  constructor(
    readonly view: View,
    readonly self: CoreId,
    readonly round: number,
    private readonly dead: Deaths,
  ) {}

  /** Counts a vote; true, once, when enough members miss their leader: the candidate then asks for promises. */
  voted(from: CoreId): boolean {
    this.votes.add(from);
    if (this.ballot !== null || !isQuorum(this.view, this.votes, this.dead)) return false;
    this.ballot = { round: this.round, core: this.self };
    return true;
  }

  /** Counts a promise; true when a majority has promised. */
  promised(from: CoreId, accepted: Proposal | null): boolean {
    this.promises.add(from);
    if (accepted !== null && (this.adopted === null || compareBallots(accepted.ballot, this.adopted.ballot) > 0))
      this.adopted = accepted;
    return isQuorum(this.view, this.promises, this.dead);
  }
}

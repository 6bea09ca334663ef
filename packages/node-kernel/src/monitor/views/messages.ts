/** Messages between monitors about the view. All travel on the urgent lane. */
import type { CoreId, Incarnation } from '@mk/monitor-proto/ids';
import type { Ballot, Member, View } from './view.ts';

export interface Proposal {
  readonly ballot: Ballot;
  readonly view: View;
}

export type ViewMessage =
  /**
   * Leader → member, every T. `acked`: the newest answer of this member that counts for its lease; 0: none. `leads`:
   * the leader itself has a lease.
   */
  | {
      readonly type: 'view_beacon';
      readonly view: number;
      readonly ballot: Ballot;
      readonly sequence: number;
      readonly acked: number;
      readonly leads: boolean;
    }
  | {
      readonly type: 'view_beacon_reply';
      readonly view: number;
      readonly sequence: number;
      readonly suspects: readonly CoreId[];
      /** Cores that ask this member to be taken in, and are heard here. */
      readonly newcomers: readonly CoreId[];
    }
  /** Member → leader, at once when a newcomer asks: all newcomers that it hears. */
  | { readonly type: 'view_newcomers'; readonly view: number; readonly newcomers: readonly CoreId[] }
  /** Member → observer: the link in this direction works. Every T without a lease; with one a heartbeat serves. */
  | { readonly type: 'view_probe'; readonly view: number }
  /** Observer → member: nothing was heard for longer than T; asks for a probe that is repeated until it comes. */
  | { readonly type: 'view_probe_request'; readonly view: number }
  /** Member → leader, or everybody when the leader is accused: the members that the sender has proof against. */
  | { readonly type: 'view_accuse'; readonly view: number; readonly accused: readonly Member[] }
  | { readonly type: 'view_vote_request'; readonly view: number; readonly round: number }
  | { readonly type: 'view_vote_reply'; readonly view: number; readonly round: number; readonly granted: boolean }
  | { readonly type: 'view_prepare'; readonly view: number; readonly ballot: Ballot }
  | {
      readonly type: 'view_promise';
      readonly view: number;
      readonly ballot: Ballot;
      readonly accepted: Proposal | null;
    }
  | { readonly type: 'view_accept'; readonly view: number; readonly proposal: Proposal }
  | { readonly type: 'view_accepted'; readonly view: number; readonly ballot: Ballot }
  /** The views that the receiver may lack, in order. `left`: those left out at their own request. */
  | { readonly type: 'view_install'; readonly views: readonly View[]; readonly left: readonly Member[] }
  /** Member → leader: it has stopped acting, and asks for a view without it. */
  | { readonly type: 'view_leave'; readonly view: number }
  /** A core with a number and an incarnation asks to be taken into the next view, and says whom it hears. */
  | { readonly type: 'view_join'; readonly member: Member; readonly hears: readonly CoreId[] }
  | {
      readonly type: 'view_join_reply';
      readonly incarnation: Incarnation;
      /** The leader of the sender's view; 65534: it knows none. */
      readonly leader: CoreId;
    };

export type ViewMessageOf<T extends ViewMessage['type']> = Extract<ViewMessage, { readonly type: T }>;

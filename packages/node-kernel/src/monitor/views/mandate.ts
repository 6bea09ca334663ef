import type { Nanos } from '@mk/monitor-proto/ids';
import type { Newcomers } from './newcomers.ts';
import type { Ballot, Deaths, View } from './view.ts';

/** The basis of a core's leadership. */
export interface Mandate {
  readonly view: View;
  readonly ballot: Ballot;
  /** Until when a member may hold an earlier leader's lease. */
  readonly oldLeasesUntil: Nanos;
  /** Since when every member refuses its vote to others, because it installed the view from this leader. */
  readonly toldAt: Nanos;
}

/** A core's knowledge, leader or not. */
export interface Facts {
  readonly dead: Deaths;
  readonly newcomers: Newcomers;
  readonly history: readonly View[];
}

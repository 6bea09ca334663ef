import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Proposal, ViewMessage } from './messages.ts';
import type { Member, View } from './view.ts';

/** What a leadership needs of its core. */
export interface LeadershipPort {
  readonly self: Member;
  send(core: CoreId, message: ViewMessage): void;
  /** Members whose links to this core seem broken. */
  suspects(now: Nanos): readonly CoreId[];
  /** Whether enough members have proof against one (quarantine.ts). */
  isGuilty(core: CoreId): boolean;
  /** This core's own acceptor. */
  acceptOwn(proposal: Proposal): boolean;
  chosen(view: View, now: Nanos): void;
}

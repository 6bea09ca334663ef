import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Operation } from '../operations.ts';
import type { Member } from './view.ts';

/** A core, as its views see it. */
export interface ViewsHost {
  /** Cores that this core knows, once no others wait to be announced; empty before. */
  known(): readonly number[];
  /** A view goes on without an incarnation: nothing waits for it any longer. */
  dropped(member: Member, cause: string, now: Nanos): void;
  /** The lease has expired, or is valid again. */
  fenced(fenced: boolean, now: Nanos): void;
  /** No lease for so long that nobody should wait for it. */
  cutOff(): void;
  /** Looks for proof against an accused member. */
  examine(core: CoreId): Operation<void>;
  /** A view without this incarnation is in force: its process ends. */
  excluded(text: string): void;
}

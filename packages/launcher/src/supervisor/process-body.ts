import type { ProcessIdentity } from '@mk/libmk/io/process-identity';
import type { ChildMessage, ParentMessage } from '@mk/monitor-proto/io/parent';

/** `how` of a process that the system did not start. */
export const NOT_STARTED = 'it could not be started';

/** What a process of the system tells of itself. */
export interface BodyEvents {
  said(message: ParentMessage): void;
  /** A line of its log. */
  logged(line: string): void;
  /** A line on its stderr. */
  errorLine(line: string): void;
  /** It has ended, and all its output has been read. */
  ended(how: string): void;
  notStarted(why: string): void;
}

/** A process of the system, as its supervisor holds it: a child of its own, or one that an earlier supervisor has left. */
export interface ProcessBody {
  readonly identity: ProcessIdentity;
  /** Once, before all else; nothing is told before this has returned. */
  listen(events: BodyEvents): void;
  /** Lost if nobody listens. */
  tell(message: ChildMessage): void;
  /** Reaches exactly this process, or nobody. */
  signal(name: NodeJS.Signals): void;
}

import type { ProcessIdentity } from '@mk/libmk/io/process-identity';
import type { ChildMessage, ParentMessage } from '@mk/monitor-proto/io/parent';

/** `how` of a process that the system could not start. */
export const NOT_STARTED = 'it could not be started';

/** `how` of a process that a signal ended. */
export const endedBy = (name: NodeJS.Signals): string => `killed by ${name}`;
export const KILLED = endedBy('SIGKILL');

/** Events of an operating-system process. */
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

/**
 * An operating-system process as its supervisor holds it: a child of its own, or one that an earlier supervisor left.
 */
export interface ProcessBody {
  readonly identity: ProcessIdentity;
  /** Called once, before all else; no event comes before it returns. */
  listen(events: BodyEvents): void;
  /** Lost if the process does not listen. */
  tell(message: ChildMessage): void;
  /** Reaches exactly this process, or none. */
  signal(name: NodeJS.Signals): void;
}

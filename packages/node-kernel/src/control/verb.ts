import type { Operation } from '../monitor/operations.ts';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Arguments } from './arguments.ts';

/** A verb of a core's control port: what it takes, what it does and what it answers. */
export interface Verb<A = unknown> {
  readonly args: readonly string[];
  readonly doc: string;
  /** Answered without a lease, too: it tells of this core and its links, not of what cores share. */
  readonly withoutLease?: true;
  /** A value to answer with at once, or an operation whose result is the answer. Throws OperationError. */
  run(args: Arguments, now: Nanos): A | Operation<A>;
}

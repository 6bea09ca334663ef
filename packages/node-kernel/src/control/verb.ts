import type { Operation } from '../monitor/operations.ts';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Arguments } from './arguments.ts';

/** A verb of a core's control port: what it takes, what it does and what it answers. */
export interface Verb<A = unknown> {
  readonly args: readonly string[];
  readonly doc: string;
  /** Answered even without a lease: it concerns this core and its links, not what cores share. */
  readonly withoutLease?: true;
  /** An immediate answer, or an operation whose result is the answer. Throws OperationError. */
  run(args: Arguments, now: Nanos): A | Operation<A>;
}

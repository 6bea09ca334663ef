import type { Operation } from '../monitor/operations.ts';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Arguments } from './arguments.ts';

/** A verb of a core's control port. */
export interface Verb<A = unknown> {
  readonly args: readonly string[];
  readonly doc: string;
  /** Served even without a lease: it concerns this core and its links, not state that cores share. */
  readonly withoutLease?: true;
  /** Returns the answer, or an operation whose result is the answer. Throws OperationError. */
  run(args: Arguments, now: Nanos): A | Operation<A>;
}

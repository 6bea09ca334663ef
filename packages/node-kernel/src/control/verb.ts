import type { Nanos } from '@mk/monitor-proto/ids';
import type { Arguments } from './arguments.ts';

/** A verb of a core's control port: what it takes and what it does. */
export interface Verb {
  readonly args: readonly string[];
  readonly doc: string;
  /** A value to answer with at once, or an operation whose result is the answer. Throws OperationError. */
  run(args: Arguments, now: Nanos): unknown;
}

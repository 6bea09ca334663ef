import type { Nanos } from '@mk/monitor-proto/ids';

/** Ends a call that is under way: nobody waits for its answer any more. `done` is called all the same, once. */
export type GiveUp = (now: Nanos) => void;

import { MILLISECOND, SECOND } from '@mk/monitor-proto/ids';

/** Bounds of dispatchers, each with its reason. */
export const DISPATCHER_LIMITS = {
  /** Barrelfish's: long against a turn, short against what a person notices. */
  timesliceNs: 80 * MILLISECOND,
  /** A dispatcher that was asked for the core and keeps it so long is killed; a host that is overloaded tenfold is not taken for an endless loop. */
  overrunGraceNs: 5 * SECOND,
  /** A core that looks so much later than it meant to was away itself, and does not know what its dispatchers did: the grace begins anew. */
  overrunLateNs: SECOND / 2,
  /** A host that has not started a dispatcher by then is not going to: 64 cores that start one each on two CPUs take less. */
  startNs: 60 * SECOND,
  /** System calls of one dispatcher that were not answered yet: one dispatcher cannot take all operations of a core. */
  callsInFlight: 1024,
  /** Timers that one dispatcher has set. */
  timers: 1024,
  /** Old generation of a dispatcher's heap, MiB: with more, some ways of filling it end the process and not the thread. */
  heapOldMb: 24,
  /** Young generation, MiB, as above. */
  heapYoungMb: 4,
  /** ArrayBuffers and WebAssembly memory of a dispatcher; the heap's limits do not count them. */
  bufferBytes: 64 << 20,
} as const;

/** The value of a bound of dispatchers. */
export function dispatcherLimit(name: keyof typeof DISPATCHER_LIMITS): number {
  return DISPATCHER_LIMITS[name];
}

import { MILLISECOND, SECOND } from '@mk/monitor-proto/ids';

/** Bounds of dispatchers, each with its reason. */
export const DISPATCHER_LIMITS = {
  /** Barrelfish's value: long against a turn, short against anything a person notices. */
  timesliceNs: 80 * MILLISECOND,
  /** A dispatcher that keeps the core this long after it was asked to yield is killed if the CPU was its own. */
  overrunGraceNs: 5 * SECOND,
  /** The CPU time of an endless loop in that time; with less, a busy host has kept the dispatcher from its yield. */
  overrunCpuNs: 2.5 * SECOND,
  /** It is killed then, whatever it has used: others wait for this core. */
  overrunMostNs: 60 * SECOND,
  /**
   * A core that looks this much later than planned was away itself, and does not know what its dispatchers did: the
   * grace period starts again.
   */
  overrunLateNs: SECOND / 2,
  /**
   * A host that has not started a dispatcher by then never will: 64 cores that start one each on two CPUs take less.
   */
  startNs: 60 * SECOND,
  /** Unanswered system calls of one dispatcher, so that it cannot take all operations of a core. */
  callsInFlight: 1024,
  /** Timers that one dispatcher may set. */
  timers: 1024,
  /**
   * Old generation of a dispatcher's heap, MiB: with more, some ways of filling it end the process instead of the
   * thread.
   */
  heapOldMb: 24,
  /** Young generation, MiB, as above. */
  heapYoungMb: 4,
  /** ArrayBuffers and WebAssembly memory of a dispatcher, which the heap's limits do not count. */
  bufferBytes: 64 << 20,
} as const;

/** The value of a bound of dispatchers. */
export function dispatcherLimit(name: keyof typeof DISPATCHER_LIMITS): number {
  return DISPATCHER_LIMITS[name];
}

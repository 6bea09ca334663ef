import type { Nanos } from '@mk/monitor-proto/ids';
import type { HandedFrame } from '@mk/node-kernel/cpu-driver/dispatchers/handed-frame';
import type { CallResult, Resumption, Turn } from '@mk/libmk/dispatcher/protocol';

/** The context of a simulated dispatcher's program. It belongs to one dispatcher and is never reused. */
export interface ProgramContext {
  /**
   * One turn: hands over the upcalls, and drains the program's microtasks before it returns. The first turn evaluates
   * the program's text. A `suspect` turn is broken off if it takes too long on the host's clock.
   */
  resume(resumption: Resumption, frames: readonly HandedFrame[], suspect?: boolean): ContextTurn;
}

/** The result of a turn. */
export interface ContextTurn {
  /** Null: the program returned no turn; `fault` says why. */
  readonly turn: Turn | null;
  readonly fault: string;
  /** The error that ended the dispatcher within the turn; empty: it lives on. */
  readonly ended: string;
  /** The turn's raw bytes, for the trace. */
  readonly bytes: Uint8Array;
  /** How many calls were answered within the turn. */
  readonly callsNow: number;
  /** It was broken off. */
  readonly endless: boolean;
}

export interface ContextOptions {
  readonly program: { readonly name: string; readonly bytes: Uint8Array; readonly digest: string };
  readonly seed: string;
  readonly bufferBytes: number;
  /** A call answered within the turn. */
  callNow(name: string, args: readonly unknown[]): CallResult;
}

/** Makes contexts; `io/vm-programs.ts` makes them of node:vm. */
export interface ProgramWorld {
  context(options: ContextOptions): ProgramContext;
}

/** What dispatchers cost on the simulated machine, in nanoseconds. */
export interface ProgramCosts {
  readonly startNs: Nanos;
  readonly killNs: Nanos;
  /** Every turn: the switch to the dispatcher and back. */
  readonly turnNs: Nanos;
  readonly callNs: Nanos;
  readonly callNowNs: Nanos;
  /**
   * A core has one CPU: the kernel's work during a turn prolongs the turn. Without it they run side by side, like a
   * process's threads.
   */
  readonly oneCpu: boolean;
}

/** About what Barrelfish measured for its upcalls and system calls on the paper's machines, plus some library. */
export const PROGRAM_COSTS: ProgramCosts = {
  startNs: 1_000_000,
  killNs: 100_000,
  turnNs: 2_000,
  callNs: 500,
  callNowNs: 300,
  oneCpu: false,
};

import type { Nanos } from '@mk/monitor-proto/ids';
import type { CallResult, Turn, Upcall } from '@mk/libmk/dispatcher/protocol';
import type { ProgramText } from './dispatcher.ts';
import type { HandedFrame } from './handed-frame.ts';

/** Events from the host of dispatchers to their CPU driver. */
export type DispatcherEvent =
  /** It can be resumed. */
  | { readonly type: 'dispatcher_started'; readonly dispatcher: number }
  /** A turn is over; null: the returned value is not a turn, and `fault` says why. */
  | {
      readonly type: 'dispatcher_turn';
      readonly dispatcher: number;
      readonly turn: Turn | null;
      readonly fault: string;
      readonly ranNs: Nanos;
    }
  /** A call within a turn; the dispatcher waits for its answer. */
  | {
      readonly type: 'dispatcher_call';
      readonly dispatcher: number;
      readonly name: string;
      readonly args: readonly unknown[];
    }
  /** The CPU time that it has had since it was interrupted, or more; Infinity: unknown. */
  | { readonly type: 'dispatcher_used'; readonly dispatcher: number; readonly cpuNs: Nanos }
  /** It has ended. `cause`: a name of the error table; the CPU driver's own decision takes precedence. */
  | {
      readonly type: 'dispatcher_ended';
      readonly dispatcher: number;
      readonly cause: string;
      readonly text: string;
    };

/** Effects of a CPU driver on its dispatchers' host, which only carries them out: the kernel decides everything. */
export type DispatcherEffect =
  | {
      readonly type: 'start_dispatcher';
      readonly dispatcher: number;
      readonly domain: string;
      readonly program: ProgramText;
      /** The seed of its `Math.random`. */
      readonly seed: string;
      readonly heapOldMb: number;
      readonly heapYoungMb: number;
      readonly bufferBytes: number;
    }
  | {
      readonly type: 'resume_dispatcher';
      readonly dispatcher: number;
      readonly until: Nanos;
      readonly upcalls: readonly Upcall[];
      /** Shared memory that the upcalls name by number; passed beside their bytes. */
      readonly frames: readonly HandedFrame[];
    }
  /** `resumed`: it lost the core at this call, and has it again. */
  | {
      readonly type: 'answer_dispatcher';
      readonly dispatcher: number;
      readonly result: CallResult;
      readonly resumed: boolean;
    }
  /** Shows the dispatcher that it is asked to yield. */
  | { readonly type: 'interrupt_dispatcher'; readonly dispatcher: number }
  /** Asks for the CPU time that the dispatcher has had since it was interrupted. */
  | { readonly type: 'measure_dispatcher'; readonly dispatcher: number }
  | { readonly type: 'kill_dispatcher'; readonly dispatcher: number };

import type { Nanos } from '@mk/monitor-proto/ids';
import type { FrameView } from './frame-view.ts';
import type { PlainValue } from './plain-value.ts';
import type { Call, CallResult, Upcall } from './protocol.ts';

/** The two ends of a turn, which a program's runtime gives its host. */
export interface DispatcherEntry {
  /** Takes a batch of upcalls. The turn is over when it has returned and all microtasks have drained. */
  resume(upcalls: readonly Upcall[]): void;
  /** A promise was rejected in the last turn, without a handler. Default: the dispatcher fails. */
  rejected?(reason: unknown): void;
  /**
   * System calls, oldest first: always the same array. The host asks for it when the program attaches, and empties it
   * after each turn.
   */
  readonly outgoing: Call[];
}

/** The host's side of the border: the global `mkBorder` of the context, set before the program's text is evaluated. */
export interface Border {
  /** Call once, while the program's text is evaluated: otherwise the dispatcher ends for want of a program. */
  attach(entry: DispatcherEntry): void;
  /**
   * A system call answered within the turn: only for what the CPU driver serves without another core (`nop`, local
   * `invoke`, run-time queries). In a running core the caller blocks meanwhile. Never throws.
   */
  callNow(name: string, args: readonly PlainValue[]): CallResult;
  /**
   * The kernel's clock: when the dispatcher got the core, plus the work declared since. Otherwise it stands still
   * within a turn.
   */
  now(): Nanos;
  /** Makes the turn take that much longer in the simulator; no effect in a running core. */
  work(ns: Nanos): void;
  /** Asks to be resumed after this turn even if no upcall waits. */
  wantsMore(): void;
  /** Whether the CPU driver has asked for the core since this turn began: a long computation checks this. */
  interrupted(): boolean;
  /**
   * Takes the shared memory that came with an upcall, by the number that the upcall names; once. Null: there is none.
   */
  takeFrame(frame: number): FrameView | null;
  /** Ends the dispatcher as failed after this turn; `text` goes into its status. Uncaught errors end here. */
  fail(error: string, text: string): void;
}

/** The border that the kernel put into this code's context; undefined without one. */
export function borderHere(): Border | undefined {
  return (globalThis as { readonly mkBorder?: Border }).mkBorder;
}

/** The border of this code's context. Throws outside of a dispatcher. */
export function border(): Border {
  const found = borderHere();
  if (found === undefined)
    throw new Error('libmk: this program is not run by a core (mk-launch run, or mk-launch sim run)');
  return found;
}

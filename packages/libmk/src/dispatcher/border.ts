import type { Nanos } from '@mk/monitor-proto/ids';
import type { FrameView } from './frame-view.ts';
import type { PlainValue } from './plain-value.ts';
import type { Call, CallResult, Upcall } from './protocol.ts';

/** What the runtime of a program gives its host: the two ends of a turn. */
export interface DispatcherEntry {
  /** Takes a batch of upcalls. When it has returned and all microtasks have drained, the turn is over. */
  resume(upcalls: readonly Upcall[]): void;
  /** System calls, oldest first. The host takes them out after the turn; the array stays the same one. */
  readonly outgoing: Call[];
}

/** What the host gives the runtime, as the global `mkBorder` of the context, before the program's text is evaluated. */
export interface Border {
  /** To be called once, while the program's text is evaluated: without it the dispatcher ends as one that is no program. */
  attach(entry: DispatcherEntry): void;
  /**
   * A system call that is answered within the turn: only for what the CPU driver serves without another core (`nop`, local
   * `invoke`, run-time queries). In a running core the caller blocks meanwhile. Never throws.
   */
  callNow(name: string, args: readonly PlainValue[]): CallResult;
  /** The kernel's clock: when the dispatcher got the core, and the work declared since. It stands still within a turn otherwise. */
  now(): Nanos;
  /** In the simulator the turn takes so much longer; in a running core what it does takes the time that it takes. */
  work(ns: Nanos): void;
  /** The dispatcher shall be resumed again after this turn though no upcall waits for it. */
  wantsMore(): void;
  /** Whether the CPU driver has asked to be given the core, since this turn began: a long computation looks here. */
  interrupted(): boolean;
  /** Shared memory that came beside an upcall, by the number that names it there; once. Null: there is none. */
  takeFrame(frame: number): FrameView | null;
  /** Ends the dispatcher after this turn, as one that failed: the text is its status’s. What nobody caught ends here. */
  fail(error: string, text: string): void;
}

/** The border that the kernel put into the context that this code runs in; undefined: nobody did. */
export function borderHere(): Border | undefined {
  return (globalThis as { readonly mkBorder?: Border }).mkBorder;
}

/** The border of the context that this code runs in. Throws where there is none: outside of a dispatcher. */
export function border(): Border {
  const found = borderHere();
  if (found === undefined)
    throw new Error('libmk: this program is not run by a core (mk-launch run, or mk-launch sim run)');
  return found;
}

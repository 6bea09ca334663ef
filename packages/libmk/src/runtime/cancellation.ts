import { MkError } from './mk-error.ts';

/** The part of the DOM's `AbortSignal` that waits use; a bare context has none. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

class Signal implements CancelSignal {
  aborted = false;
  reason: unknown = undefined;
  private readonly listeners = new Set<() => void>();

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.aborted) this.listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener();
  }
}

/**
 * Cancels waits that were given its signal: each ends in CANCELLED, or in the reason if that is an error.
 *
 * @example
 * const cancel = mk.cancellation();
 * const answer = kv.get({ key: 'a' }, { signal: cancel.signal });
 * cancel.cancel('nobody needs it any more');
 */
export class Cancellation {
  private readonly own = new Signal();

  get signal(): CancelSignal {
    return this.own;
  }

  /** Cancels; further calls do nothing. */
  cancel(reason: string | Error = 'the caller cancelled it'): void {
    this.own.abort(typeof reason === 'string' ? new MkError('CANCELLED', reason) : reason);
  }
}

/** The part of the DOM's `AbortController` that the library uses; a bare context has none. */
export class SmallAbortController {
  readonly signal = new Signal();

  abort(reason: unknown = new MkError('CANCELLED', 'it was aborted')): void {
    this.signal.abort(reason);
  }
}

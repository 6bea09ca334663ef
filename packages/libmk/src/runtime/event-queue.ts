import { type Clockwork, type WaitOptions, type Waker, waitFor } from './waiting.ts';

/** What a source yields: a value, or the error with which it ended. */
export type Taken<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Error };

/** Something to wait for, alone or in a wait set. */
export interface Waitable<T> {
  /** For people: “messages of kv”. */
  readonly label: string;
  /** What is available now; null: nothing. An ended source repeats its error. */
  take(): Taken<T> | null;
  /** Calls the listener whenever an empty source gets something. Returns the function that ends that. */
  onReady(listener: () => void): () => void;
}

/**
 * Events in the order in which they came, for one or many waiting threads; each event goes to one of them.
 *
 * @example
 * for await (const event of watch.events) mk.console.log(event.kind);
 */
export class EventQueue<T> implements Waitable<T>, AsyncIterable<T> {
  private events: T[] = [];
  private first = 0;
  private ended: Error | null = null;
  private readonly waiters = new Set<Waker<T>>();
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly clock: Clockwork,
    readonly label: string,
    /** Called whenever the program takes an event. */
    private readonly onTaken: (event: T) => void = () => undefined,
  ) {}

  /** Events that wait to be taken. */
  get length(): number {
    return this.events.length - this.first;
  }

  /** Adds an event: for the longest waiter, or to be taken later. */
  push(event: T): void {
    if (this.ended !== null) return;
    const [waiter] = this.waiters;
    if (waiter !== undefined) {
      this.waiters.delete(waiter);
      waiter.wake(event);
      return this.onTaken(event);
    }
    this.events.push(event);
    if (this.length === 1) this.tellReady();
  }

  /** Ends the source; values that have arrived can still be taken. */
  end(error: Error): void {
    if (this.ended !== null) return;
    this.ended = error;
    const waiters = [...this.waiters];
    this.waiters.clear();
    for (const waiter of waiters) waiter.fail(error);
    if (this.length === 0) this.tellReady();
  }

  take(): Taken<T> | null {
    if (this.length === 0) return this.ended === null ? null : { ok: false, error: this.ended };
    const value = this.events[this.first]!;
    this.events[this.first] = undefined as T;
    this.first += 1;
    if (this.first === this.events.length) {
      this.events = [];
      this.first = 0;
    } else if (this.first >= 256 && this.first * 2 >= this.events.length) {
      this.events = this.events.slice(this.first);
      this.first = 0;
    }
    this.onTaken(value);
    return { ok: true, value };
  }

  /** The next event; rejects with the error that ended the source, DEADLINE_EXCEEDED or CANCELLED. */
  receive(options: WaitOptions = {}): Promise<T> {
    return waitFor<T>(this.clock, this.label, options, (waker) => {
      const taken = this.take();
      if (taken === null) {
        this.waiters.add(waker);
        return () => void this.waiters.delete(waker);
      }
      if (taken.ok) waker.wake(taken.value);
      else waker.fail(taken.error);
      return () => undefined;
    });
  }

  onReady(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Until the source ends; then throws its error. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) yield await this.receive();
  }

  private tellReady(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

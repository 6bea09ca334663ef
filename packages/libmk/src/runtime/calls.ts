import type { CallAnswer } from '../dispatcher/call-answers.ts';
import type { Border } from '../dispatcher/border.ts';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import type { Call, UpcallOf } from '../dispatcher/protocol.ts';
import { MkError } from './mk-error.ts';
import { type Clockwork, mayBegin, rejected, type WaitOptions, type Waker, waitFor } from './waiting.ts';

/** System calls under way, by number. */
export class Calls {
  readonly outgoing: Call[] = [];
  private readonly open = new Map<number, Waker<never>>();
  private lastId = 0;

  constructor(
    private readonly clock: Clockwork,
    private readonly border: Border,
  ) {}

  /** How many calls are unanswered. */
  get size(): number {
    return this.open.size;
  }

  /**
   * Calls the CPU driver and waits for the answer; rejects with an `MkError` of the error's name. `abandoned` is called
   * when the caller gives up before the answer, which the CPU driver is told; what it returns receives the answer
   * instead.
   */
  ask<N extends string>(
    name: N,
    args: readonly PlainValue[],
    options: WaitOptions = {},
    abandoned: (() => Waker<CallAnswer<N>>) | null = null,
  ): Promise<CallAnswer<N>> {
    try {
      mayBegin(this.clock, `system call ${name}`, options);
    } catch (error) {
      return rejected(error); // an async function would cost every call three microtasks more
    }
    return waitFor<CallAnswer<N>>(this.clock, `system call ${name}`, options, (waker) => {
      const id = this.begin(name, args, waker);
      return () => this.giveUp(id, abandoned);
    });
  }

  /** Begins a call, whose answer goes to the waker. Returns its number. */
  begin<N extends string>(name: N, args: readonly PlainValue[], waker: Waker<CallAnswer<N>>): number {
    this.lastId += 1;
    this.open.set(this.lastId, waker);
    this.outgoing.push([this.lastId, name, args]);
    return this.lastId;
  }

  /** Nobody waits for the answer any more; if it is still to come, what `abandoned` returns gets it. */
  giveUp(id: number, abandoned: (() => Waker<never>) | null): void {
    if (!this.open.delete(id)) return;
    if (abandoned !== null) this.open.set(id, abandoned());
    this.tell('give_up', [id]);
  }

  /** Tells the CPU driver something that needs no answer. */
  tell(name: string, args: readonly PlainValue[]): void {
    this.outgoing.push([0, name, args]);
  }

  /** Makes a call within the turn, for what the CPU driver serves alone. Throws an `MkError`. */
  now(name: string, args: readonly PlainValue[]): PlainValue {
    const result = this.border.callNow(name, args);
    if (result.ok) return result.value;
    throw new MkError(result.error, result.text);
  }

  /** An answer has come. It is dropped if its caller has given up. */
  answered({ call, error, text, value }: UpcallOf<'reply'>): void {
    const waker = this.open.get(call);
    if (waker === undefined) return;
    this.open.delete(call);
    if (error === '')
      waker.wake(value as never); // the number identifies the call, and so the answer's type
    else waker.fail(new MkError(error, text));
  }
}
